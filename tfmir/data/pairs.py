"""Excerpts to pairs that share a tag: what a triplet system trains on.

    tracks -> each excerpt draws a notion and one of its tags -> those that got one are cut -> two with one tag -> pairs

So every anchor has its positive, even where a tag is carried by 0.3 % of the tracks, and no excerpt has to be
encoded more than once: the negatives are other excerpts of the batch (see `tfmir/model/mining.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfmir.data.augment import augmented
from tfmir.data.excerpts import (
    PARALLEL,
    Draw,
    Element,
    consecutive_excerpts,
    fold_in,
    options,
    random_excerpts,
    read_ahead,
    to_log_mel,
)
from tfmir.params import FeatureParams, PipelineParams
from tfmir.vocabulary import Vocabulary

_DRAW_BATCH = 256


def training_pairs(
    paths: Sequence[str],
    *,
    vocabulary: Vocabulary,
    notion_counts: Sequence[int],
    params: PipelineParams,
    features: FeatureParams,
    seed: int,
    group: int = 1,
    first_batch: int = 0,
) -> tf.data.Dataset:
    """Endless batches of pairs of tracks that share a tag; the element is the pair: no replica's share splits one.

    A pass reads every track once; an excerpt that draws no tag is passed over, and its track with it if no other does.
    So an epoch of `PipelineParams.batches` takes a pass or more, the more the sparser the tags are; what it touches is
    the tracks that drew a tag, but for those that wait for a partner. A track without any tag is never seen.

    A batch of `batch_size` excerpts has half as many pairs, with one excerpt of each track or with two.

    What is waiting for a partner depends on the whole stream so far, so starting at `first_batch` replays the
    reading and the draws, but not the decoding, of all before it.

    Args:
      paths: the shards of the training split.
      vocabulary: tags and notions.
      notion_counts: tracks of the split with a tag of each notion.
      params: batch size in first excerpts, how notions are sampled, augmentation.
      features: size of an excerpt.
      seed: same seed, same batches.
      group: excerpts of each track, 1, or 2 that overlap by half at most, the earlier one first or the later.
      first_batch: start of the stream, counted in batches from its beginning.

    Returns:
      A dataset of (float32 [pairs, 2, group, frames, mels], {"labels": float32 [pairs, 2, tags],
      "tag": int64 [pairs], "track": int64 [pairs, 2], "apart": float32 [pairs, 2]}), with 0 and 1 for no and yes.
    """
    draw = _drawing(vocabulary, notion_counts, params)
    # Where tags are sparse most excerpts draw none: they cost their track's reading, and no cut.
    stream = random_excerpts(
        paths, 0, num_tags=len(vocabulary.tags), params=params, features=features, seed=seed, group=group, draw=draw
    )
    pairs = join(stream).batch(params.batch_size // 2, drop_remainder=True)
    batches = read_ahead(pairs.enumerate().skip(first_batch), params)

    def finish(index: tf.Tensor, batch: Element) -> tuple[tf.Tensor, Element]:
        log_mel, targets = _decoded_pairs(batch, features)
        flat = tf.reshape(log_mel, [-1, features.excerpt_frames, features.num_mels])
        return tf.reshape(augmented(flat, params, seed=seed, index=index), tf.shape(log_mel)), targets

    return batches.map(finish, **PARALLEL).prefetch(tf.data.AUTOTUNE).with_options(options())


def fixed_pairs(
    paths: Sequence[str],
    *,
    vocabulary: Vocabulary,
    notion_counts: Sequence[int],
    params: PipelineParams,
    features: FeatureParams,
    seed: int,
    group: int = 1,
    draws: int = 1,
) -> tf.data.Dataset:
    """The validation pairs: all consecutive excerpts, each with a tag and a partner drawn from the seed.

    The same batches at every iteration; of each tag, an excerpt that is left over has no pair and is left out. `draws`
    says how often every excerpt draws: where tags are sparse, one draw would leave a handful of pairs.

    Takes and gives what `training_pairs` does, but the last batch may be smaller; where `group` is 2, the pairs are the
    same, and each excerpt comes with the next one of its track.
    """
    draw = _drawing(vocabulary, notion_counts, params)
    excerpts = consecutive_excerpts(paths, num_tags=len(vocabulary.tags), features=features, group=group)
    key = tf.constant([seed, 3], tf.int64)
    drawn = _redrawn(excerpts, key, draw=draw, draws=draws, buffer=params.shuffle_buffer)
    batches = join(drawn).batch(params.batch_size // 2)
    decoded = batches.map(lambda batch: _decoded_pairs(batch, features), **PARALLEL)
    return decoded.prefetch(2).with_options(options(tuned=False))


def notion_rates(notion_counts: Sequence[int], sampling: str) -> np.ndarray | None:
    """How often each notion is offered to an excerpt, which takes the offer if it has a tag of that notion.

    Offering a notion in inverse proportion to the number of tracks that have it makes all notions equally frequent
    among the accepted offers, whichever notions occur together. Without that, genre, which nearly every track has,
    would be all that is learnt.

    Args:
      notion_counts: [notions], tracks with a tag of each notion.
      sampling: "balanced", or "natural" for no offers: an excerpt draws among its own notions.

    Returns:
      float32 [notions] that sum to 1, or None for "natural".
    """
    if sampling == "natural":
        return None
    counts = np.asarray(notion_counts, np.float64)
    rates = np.divide(1.0, counts, out=np.zeros_like(counts), where=counts > 0)
    return (rates / rates.sum()).astype(np.float32)


def accepted_share(notion_counts: Sequence[int], tracks: int, sampling: str) -> float:
    """The share of the offers of `notion_rates` that is taken; 1 where nothing is offered, or no track has a tag.

    >>> round(accepted_share([88, 13, 14, 11], 100, "balanced"), 3)
    0.16
    """
    rates = notion_rates(notion_counts, sampling) if any(notion_counts) else None
    if rates is None:
        return 1.0
    return min(1.0, float(rates @ np.asarray(notion_counts, np.float64)) / tracks)


def draw_tags(labels: tf.Tensor, key: tf.Tensor, *, vocabulary: Vocabulary, rates: np.ndarray | None) -> tf.Tensor:
    """One tag for every excerpt: first a notion, then one of the excerpt's tags in that notion.

    Args:
      labels: bool [batch, tags].
      key: int64 [2], seed of the draws.
      vocabulary: tags and notions.
      rates: see `notion_rates`.

    Returns:
      int64 [batch]: the tag, or -1 where the excerpt has none of the notion that was offered to it.
    """
    of_notion = tf.one_hot(vocabulary.notion_of_tag, len(vocabulary.notions), on_value=True, off_value=False)
    carried = tf.reduce_any(labels[:, :, tf.newaxis] & of_notion, axis=1)  # [batch, notions]
    batch = tf.shape(labels)[0]
    if rates is None:
        notion = _choose(carried, fold_in(key, 0))
    else:
        logits = tf.math.log(tf.constant(rates)[tf.newaxis])
        notion = tf.random.stateless_categorical(logits, batch, fold_in(key, 0))[0]
    candidates = labels & (tf.constant(vocabulary.notion_of_tag, tf.int64) == notion[:, tf.newaxis])
    return tf.where(tf.reduce_any(candidates, axis=1), _choose(candidates, fold_in(key, 1)), -1)


def join(excerpts: tf.data.Dataset) -> tf.data.Dataset:
    """Joins every two elements whose tag is the same; an excerpt left over at the end of a stream is lost.

    Args:
      excerpts: a data set of dicts with `tag`, int64 scalar.

    Returns:
      A dataset of the same dicts, every tensor with a new first axis of size 2; `tag` stays a scalar.
    """
    pairs = excerpts.group_by_window(
        key_func=lambda element: element["tag"],
        reduce_func=lambda tag, window: window.batch(2, drop_remainder=True),
        window_size=2,
    )
    return pairs.map(lambda pair: pair | {"tag": pair["tag"][0]})


def _drawing(vocabulary: Vocabulary, notion_counts: Sequence[int], params: PipelineParams) -> Draw:
    rates = notion_rates(notion_counts, params.notion_sampling)
    return functools.partial(draw_tags, vocabulary=vocabulary, rates=rates)


def _redrawn(excerpts: tf.data.Dataset, key: tf.Tensor, *, draw: Draw, draws: int, buffer: int) -> tf.data.Dataset:
    """Every excerpt with the `tag` it draws, as often as it gets one in so many draws; each is read and cut once.

    A buffer of them is drawn from again and again, in another order each time, and what a draw refuses is not copied.
    As a draw goes round the buffer before the next one does, an excerpt hardly meets itself when they are joined.
    """
    parts = -(-buffer // _DRAW_BATCH)

    def of_block(number: tf.Tensor, block: Element) -> tf.data.Dataset:
        def one_draw(again: tf.Tensor) -> tf.data.Dataset:
            own = tf.where(again > 0, fold_in(key, again), key)
            count = tf.shape(block["track"])[0]
            order = tf.random.experimental.stateless_shuffle(tf.range(count), fold_in(own, number))

            def take(part: tf.Tensor, rows: tf.Tensor) -> Element:
                tag = draw(tf.gather(block["labels"], rows), fold_in(own, part))
                rows, tag = (tf.boolean_mask(x, tag >= 0) for x in (rows, tag))
                return {name: tf.gather(values, rows) for name, values in block.items()} | {"tag": tag}

            rows = tf.data.Dataset.from_tensor_slices(order).batch(_DRAW_BATCH)
            return rows.enumerate(number * parts).map(take, **PARALLEL)

        return tf.data.Dataset.range(draws).flat_map(one_draw).unbatch()

    return excerpts.batch(buffer).prefetch(1).enumerate().flat_map(of_block)


def _choose(allowed: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """int64 [batch]: a column drawn evenly among the True ones of each row; 0 where there is none."""
    draws = tf.random.stateless_uniform(tf.shape(allowed), key)
    return tf.argmax(tf.where(allowed, draws, -1.0), axis=1)


def _decoded_pairs(batch: Element, features: FeatureParams) -> tuple[tf.Tensor, Element]:
    data = batch["data"]  # [pairs, 2, group]
    log_mel = to_log_mel(tf.reshape(data, [-1]), features)
    shape = [-1, 2, data.shape[2], features.excerpt_frames, features.num_mels]
    # Keras adds up what the replicas are given, which it cannot do with booleans.
    flags = {name: tf.cast(batch[name], tf.float32) for name in ("labels", "apart")}
    return tf.reshape(log_mel, shape), {"tag": batch["tag"], "track": batch["track"], **flags}
