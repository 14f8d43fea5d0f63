import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfmir.data.manifest import load_manifest
from tfmir.data.pipeline import training_set, validation_set
from tfmir.model import triplet as triplet_module
from tfmir.model.mining import mine
from tfmir.model.subspaces import subspace_unit
from tfmir.model.triplet import TripletTerm, of_tracks
from tfmir.params import PipelineParams, RunParams, SystemParams

NOTION_OF_TAG = np.array([0, 0, 0, 1, 1])


def targets(pairs=6, first_track=0, seed=0):
    """Pairs of tracks that share a tag; the other tags are random."""
    rng = np.random.default_rng(seed)
    labels = rng.random([pairs, 2, 5]) < 0.3
    tag = np.arange(pairs) % 5
    labels[np.arange(pairs), :, tag] = True
    track = first_track + np.arange(2 * pairs, dtype=np.int64).reshape(pairs, 2)
    return {
        "labels": tf.constant(labels, tf.float32),
        "tag": tf.constant(tag, tf.int64),
        "track": tf.constant(track),
        "apart": tf.ones([pairs, 2]),
    }


def embeddings(n, seed=1):
    return np.abs(np.random.default_rng(seed).normal(size=[n, 16])).astype(np.float32)


def value(switches, batch, f, step=0):
    term = TripletTerm(switches, notion_of_tag=NOTION_OF_TAG, notions=2)
    return float(term(tf.constant(f), subspace_unit(tf.constant(f), 2), batch, step=tf.constant(step, tf.int64)))


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def mean_hinge(triplets, similarity, margin):
    """Over each anchor's triplets (anchor, positive, negative), and then over the anchors that have one."""
    of_anchors = {}
    for a, p, n in triplets:
        of_anchors.setdefault(a, []).append(max(0.0, similarity(a, n) - similarity(a, p) + margin))
    return np.mean([np.mean(losses) for losses in of_anchors.values()])


@pytest.mark.parametrize("negatives", ["all", "hard"])
def test_the_hinge_is_that_of_loops_over_the_batch(negatives):
    """Every cosine is taken inside the sub-space of the anchor's tag, with slices and loops in NumPy."""
    batch, f = targets(), embeddings(12)
    labels = batch["labels"].numpy().reshape(12, 5) > 0
    tag = np.repeat(batch["tag"].numpy(), 2)

    def similarity(a, b):
        part = slice(0, 8) if tag[a] < 3 else slice(8, 16)
        return cosine(f[a, part], f[b, part])

    triplets = []
    for a in range(12):
        lacking = [n for n in range(12) if not labels[n, tag[a]]]
        if negatives == "all":
            carrying = [p for p in range(12) if p != a and labels[p, tag[a]]]
            triplets += [(a, p, n) for p, n in itertools.product(carrying, lacking)]
        elif lacking:
            triplets.append((a, a ^ 1, max(lacking, key=lambda n, a=a: similarity(a, n))))
    expected = mean_hinge(triplets, similarity, 0.1)
    found = value(SystemParams("triplet", negatives=negatives), batch, f)
    assert expected > 0.01
    assert found == pytest.approx(expected, rel=1e-4)


def test_two_excerpts_of_a_track_are_compared_in_the_whole_space():
    """The track triplets alone are what their weight adds; their anchor is a track's first excerpt, their positive its
    second, and their negatives are all excerpts of other tracks. Excerpts that overlap give no such triplet: track 3's
    here. What is left without them is the hinge of the first excerpts alone."""
    batch, f = targets(pairs=4), embeddings(16)
    apart = np.ones([4, 2], np.float32)
    apart[1, 1] = 0
    batch["apart"] = tf.constant(apart)
    pairs = itertools.product(range(0, 16, 2), range(16))
    triplets = [(a, a + 1, n) for a, n in pairs if a // 2 != n // 2 and a // 2 != 3]
    expected = mean_hinge(triplets, lambda a, b: cosine(f[a], f[b]), 0.1)
    one, two = (value(SystemParams("triplet", negatives="all", track_weight=w), batch, f) for w in (1.0, 2.0))
    assert expected > 0.01
    assert two - one == pytest.approx(expected, rel=1e-3)
    alone = value(SystemParams("triplet", negatives="all"), batch, f[::2])
    assert 2 * one - two == pytest.approx(alone, rel=1e-3)


def test_what_is_said_of_pairs_is_said_track_by_track():
    assert of_tracks(tf.constant([[1, 2], [3, 4]])).numpy().tolist() == [1, 2, 3, 4]
    assert of_tracks(tf.constant([[[1, 0], [0, 1]]])).numpy().tolist() == [[1, 0], [0, 1]]


def counted(switches, batches, vocabulary):
    """What a term counts over batches of a stream: name -> triplets."""
    term = TripletTerm(switches, notion_of_tag=vocabulary.notion_of_tag, notions=2)
    for x, given in batches:
        f = tf.constant(embeddings(np.prod(x.shape[:3])))
        term(f, subspace_unit(f, 2), given, step=tf.constant(0, tf.int64))
    return {metric.name: float(metric.result()) for metric in term.metrics}


@pytest.mark.parametrize("stream", [training_set, validation_set])
def test_track_regularisation_leaves_the_triplets_of_tags_as_many_on_the_same_records(records, stream):
    """It adds a second excerpt of every track, and with them one or many triplets of tracks for each."""
    manifest = load_manifest(records)
    pipeline = PipelineParams(batch_size=8, shuffle_buffer=8)
    held, switches = {}, {}
    for weight in (0.0, 0.5):
        switches[weight] = SystemParams("triplet", track_weight=weight)
        batches = stream(records, manifest, RunParams(system=switches[weight], pipeline=pipeline))
        held[weight] = list(itertools.islice(batches, 3))
    encoded = {weight: sum(np.prod(x.shape[:3]) for x, _ in batches) for weight, batches in held.items()}
    assert encoded[0.5] == 2 * encoded[0.0] > 0
    for negatives in ("random", "all"):
        plain, both = (
            counted(dataclasses.replace(switches[w], negatives=negatives), batches, manifest.vocabulary)
            for w, batches in held.items()
        )
        assert both["valid_triplets"] == plain["valid_triplets"] > 0
        assert both["valid_track_triplets"] > 0
        assert set(both) - set(plain) == {"valid_track_triplets", "active_track_triplets"}


@pytest.fixture
def drawn(monkeypatch):
    """The negatives that were drawn for a batch at a step."""
    seen = []

    def remember(*args, **kwargs):
        seen.append(mine(*args, **kwargs))
        return seen[-1]

    monkeypatch.setattr(triplet_module, "mine", remember)

    def draw(batch, step):
        seen.clear()
        value(SystemParams("triplet"), batch, embeddings(12), step)
        return seen[0].negative.numpy().tolist()

    return draw


def test_random_negatives_differ_between_steps_and_between_batches_and_are_otherwise_the_same(drawn):
    """12 anchors with at least three candidates each: two draws are the same by chance less than once in 3^12."""
    batch, other = targets(), targets(first_track=100)
    draws = [drawn(batch, step) for step in range(5)]
    assert len({tuple(draw) for draw in draws}) == 5
    assert [drawn(batch, step) for step in range(5)] == draws
    assert drawn(other, 0) != draws[0]
    assert drawn(other, 0) == drawn(other, 0)


def test_every_training_step_draws_its_own_negatives_and_every_validation_the_same(tiny, batch):
    """The count of the optimiser's steps is what tells them apart, so that it survives a restart."""
    system = tiny("triplet")
    system.compile(optimizer="adam", jit_compile=False)
    _, given = batch(system)
    given["labels"] = np.eye(5, dtype=np.float32)[np.stack([np.arange(4)] * 2, axis=1)]  # negatives for all
    given = {key: tf.convert_to_tensor(item) for key, item in given.items()}
    f = tf.constant(embeddings(8))
    found = {True: set(), False: set()}
    for step, training in itertools.product((0, 3, 7), (True, False)):
        system.optimizer.iterations.assign(step)
        found[training].add(float(system.batch_loss(f, given, training=training)))
    assert len(found[True]) == 3
    assert len(found[False]) == 1


def test_a_pair_from_one_track_is_no_triplet_and_short_tracks_have_no_track_triplet(tiny, batch):
    system = tiny("triplet_track")
    system.compile(optimizer="adam", jit_compile=False)
    x, given = batch(system)
    given["labels"] = np.eye(5, dtype=np.float32)[np.stack([np.arange(4)] * 2, axis=1)]  # negatives for all
    logs = system.test_on_batch(x, given, return_dict=True)
    assert (logs["valid_triplets"], logs["valid_track_triplets"]) == (8, 8)
    given["track"][0, 1] = given["track"][0, 0]  # both of a pair lose their tag triplet
    given["apart"][1, 0] = 0  # one track loses its track triplet
    logs = system.test_on_batch(x, given, return_dict=True)
    assert (logs["valid_triplets"], logs["valid_track_triplets"]) == (6, 7)
    assert logs["active_track_triplets"] <= 7
    assert "valid_track_triplets" not in {metric.name for metric in tiny("triplet_disentangled").metrics}


def test_all_takes_every_positive_of_another_track_with_every_negative(tiny, batch):
    """Two pairs of four tracks, tags: pair 0 drew a, pair 1 drew x. Track 0: a; 1: a x; 2: a x; 3: x.
    Tag a, anchors 0 and 1: positives the two others that carry it, one negative (3): 2 · 2 · 1. Tag x, anchors 2 and 3:
    2 · 2 · 1 with negative 0. Track 2 renamed as track 1: anchor 1 loses positive 2, anchor 2 loses positive 1."""
    system = tiny("triplet_disentangled", negatives="all")
    system.compile(optimizer="adam", jit_compile=False)
    x, given = batch(system, pairs=2)
    a, x_tag = 0, 3
    given["labels"] = np.zeros([2, 2, 5], np.float32)
    for track, tags in enumerate([[a], [a, x_tag], [a, x_tag], [x_tag]]):
        given["labels"][track // 2, track % 2, tags] = 1
    given["tag"] = np.array([a, x_tag])
    assert system.test_on_batch(x, given, return_dict=True)["valid_triplets"] == 8
    given["track"] = np.array([[0, 1], [1, 3]])
    assert system.test_on_batch(x, given, return_dict=True)["valid_triplets"] == 6


def test_a_triplet_system_scores_by_its_prototypes_and_by_nothing_before_they_are_set(tiny, excerpts):
    """Cosine of f and the prototype in the sub-space of the tag's notion, in NumPy."""
    system = tiny("triplet_disentangled")
    np.testing.assert_array_equal(system(excerpts(2)), np.zeros([2, 5]))
    vectors = embeddings(5, seed=2)
    system.prototypes.vectors.assign(vectors)
    f = system.encode(excerpts(2)).numpy()
    expected = [
        [cosine(row[part], vector[part]) for vector, notion in zip(vectors, NOTION_OF_TAG, strict=True)
         for part in [slice(8 * notion, 8 * notion + 8)]]
        for row in f
    ]  # fmt: skip
    np.testing.assert_allclose(system(excerpts(2)), expected, rtol=1e-4)
