import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmir import flags
from tfmir.errors import UserError
from tfmir.experiments import systems
from tfmir.model.build import build_system
from tfmir.model.layers import Prototypes
from tfmir.model.losses import entropy_floor, multi_label_cross_entropy
from tfmir.model.triplet import TripletSystem
from tfmir.params import EncoderParams, NetworkParams, RunParams, SystemParams, TrainParams
from tfmir.train import TrainCommand
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"genre": ["a", "b", "c"], "mood": ["x", "y"]})
TINY = NetworkParams(encoder=EncoderParams(width_multiplier=0.0625, blocks=1, embedding_dim=16))
TABLE = {
    "triplet": SystemParams("triplet", disentangled=False),
    "triplet_disentangled": SystemParams("triplet"),
    "triplet_track": SystemParams("triplet", track_weight=0.5),
    "proxy_basic": SystemParams("proxy", disentangled=False),
    "proxy": SystemParams("proxy"),
    "classification_plain": SystemParams("classification", disentangled=False, normalized=False),
    "classification": SystemParams("classification", disentangled=False),
    "classification_disentangled": SystemParams("classification"),
    "joint": SystemParams("joint", margin=0.44, triplet_weight=0.85),
}


def tiny(name="proxy", vocabulary=VOCABULARY, negatives="random", **kwargs):
    keras.utils.set_random_seed(0)
    switches = dataclasses.replace(TABLE[name], negatives=negatives)
    return build_system(dataclasses.replace(TINY, system=switches), vocabulary, **kwargs)


@pytest.mark.parametrize("name", TABLE)
def test_every_flag_file_says_its_row_of_the_table(name, repository, monkeypatch):
    monkeypatch.chdir(repository)
    command = flags.parse(["train", f"--flagfile=launch/{name}.flags"], TrainCommand)
    assert command.settings.system == TABLE[name]
    assert command.run == f"runs/{name}"
    assert command.settings.training == TrainParams()


@pytest.mark.parametrize("corpus", ["msd", "jamendo"])
@pytest.mark.parametrize("name", TABLE)
def test_the_same_on_a_real_corpus_at_full_width(name, corpus, tmp_path, monkeypatch):
    """From any folder: the flag files come with tfmir."""
    monkeypatch.chdir(tmp_path)
    given = [f"--flagfile=launch/{file}.flags" for file in (name, corpus)]
    command = flags.parse(["train", *given], TrainCommand)
    assert (command.records, command.run) == (f"tfrecords/{corpus}", f"runs/{name}-{corpus}")
    assert command.settings == RunParams(system=TABLE[name])


def test_one_place_names_the_systems_and_launch_has_a_flag_file_for_each(repository):
    others = {"demo", "comparison", "compare", "tune", "msd", "jamendo"}
    assert {path.stem for path in (repository / "launch").glob("*.flags")} == {*systems.ALL, *others}
    assert set(TABLE) == set(systems.ALL)


def test_a_triplet_system_takes_no_tag_frequencies():
    prevalence = np.full(5, 0.2)
    with pytest.raises(TypeError):
        TripletSystem(dataclasses.replace(TINY, system=TABLE["triplet"]), VOCABULARY, prevalence=prevalence)
    assert not hasattr(tiny("triplet", prevalence=prevalence), "floors")


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        (SystemParams("proxy", normalized=False), "needs --normalized"),
        (SystemParams("classification", normalized=False), "--disentangled needs --normalized"),
        (SystemParams("joint", disentangled=False), "needs --disentangled"),
        (SystemParams("proxy", track_weight=0.5), "has no triplets"),
    ],
)
def test_what_is_no_system_is_refused(switches, message):
    with pytest.raises(UserError, match=message):
        build_system(dataclasses.replace(TINY, system=switches), VOCABULARY)


def test_disentangled_proxy_and_disentangled_classification_are_one_function():
    """Paper, eqs. 10 and 11: the sub-dense layers side by side are the one dense layer, and a tag's class vector is
    its proxy's part in the sub-space."""
    proxy, classes = tiny("proxy"), tiny("classification_disentangled")
    proxy.encoder.set_weights(classes.encoder.get_weights())
    parts = classes.embedding_layer.parts
    kernel = np.concatenate([part.kernel for part in parts], axis=1)
    proxy.embedding_layer.set_weights([kernel, np.concatenate([part.bias for part in parts])])
    vectors = np.random.default_rng(0).normal(size=[16, 5])  # outside a tag's mask anything may stand
    for index, notion in enumerate(VOCABULARY.notions):
        tags = VOCABULARY.tags_of(notion)
        vectors[8 * index : 8 * index + 8, tags] = classes.classifiers[index].vectors
    proxy.proxies.vectors.assign(vectors)
    np.testing.assert_allclose(proxy(excerpts(6)), classes(excerpts(6)), rtol=1e-4, atol=1e-5)


def test_plain_classification_is_the_raw_inner_product():
    """The classifier without a norm: logit_z = f · c_z, and a track is the plain mean of its excerpts."""
    system = tiny("classification_plain")
    f = np.abs(np.random.default_rng(0).normal(size=[4, 16])).astype(np.float32)
    np.testing.assert_allclose(system.logits(tf.constant(f)), f @ system.classifiers[0].vectors.numpy(), rtol=1e-4)
    mean = np.mean([system.encode(excerpts(3))], axis=1)
    np.testing.assert_allclose(system.embed(excerpts(3)[None]), mean, rtol=1e-4, atol=1e-6)


def test_a_prototype_scores_by_the_cosine_in_its_subspace():
    """Genre owns the first half. Track (3 4 | 0 1), prototype of tag 0 (1 0 | 9 9): cosine 3/5; of tag 3 (9 9 | 1 1):
    1/√2; a tag without tracks scores 0."""
    layer = Prototypes(notion_of_tag=VOCABULARY.notion_of_tag, notions=2)
    layer.build([None, 4])
    layer.vectors.assign([[1, 0, 9, 9], [0, 0, 0, 0], [3, 4, 0, 0], [9, 9, 1, 1], [0, 0, 0, 5]])
    found = layer(tf.constant([[3.0, 4.0, 0.0, 1.0]]))
    np.testing.assert_allclose(found, [[0.6, 0.0, 1.0, np.sqrt(0.5), 1.0]], rtol=1e-6)


def test_a_pair_from_one_track_is_no_triplet_and_short_tracks_have_no_track_triplet():
    system = tiny("triplet_track")
    system.compile(optimizer="adam", jit_compile=False)
    x, targets = batch(system)
    targets["labels"] = np.eye(5, dtype=np.float32)[np.stack([np.arange(4)] * 2, axis=1)]  # negatives for all
    logs = system.test_on_batch(x, targets, return_dict=True)
    assert logs["valid_triplets"] == 16 + 16
    targets["track"][0, 1] = targets["track"][0, 0]  # 4 anchors lose their tag triplet
    targets["apart"][1, 0] = 0  # 2 anchors lose their track triplet
    assert system.test_on_batch(x, targets, return_dict=True)["valid_triplets"] == 12 + 14


def test_all_takes_every_positive_of_another_track_with_every_negative():
    """Two pairs of four tracks, tags: pair 0 drew a, pair 1 drew x. Track 0: a; 1: a x; 2: a x; 3: x.
    Tag a, anchors 0 and 1: positives the two others that carry it, one negative (3): 2 · 2 · 1. Tag x, anchors 2 and 3:
    2 · 2 · 1 with negative 0. Track 2 renamed as track 1: anchor 1 loses positive 2, anchor 2 loses positive 1."""
    system = tiny("triplet_disentangled", negatives="all")
    system.compile(optimizer="adam", jit_compile=False)
    x, targets = batch(system, pairs=2)
    a, x_tag = 0, 3
    targets["labels"] = np.zeros([2, 2, 5], np.float32)
    for track, tags in enumerate([[a], [a, x_tag], [a, x_tag], [x_tag]]):
        targets["labels"][track // 2, track % 2, tags] = 1
    targets["tag"] = np.array([a, x_tag])
    assert system.test_on_batch(x, targets, return_dict=True)["valid_triplets"] == 8
    targets["track"] = np.array([[0, 1], [1, 3]])
    assert system.test_on_batch(x, targets, return_dict=True)["valid_triplets"] == 6


def test_joint_is_the_proxy_loss_plus_the_weighted_hinge():
    system = tiny("joint", negatives="hard")
    system.compile(optimizer="adam", jit_compile=False)
    x, targets = batch(system)
    logs = system.test_on_batch(x, targets, return_dict=True)
    f = system.encode(tf.reshape(x, [-1, 129, 128]))
    cross_entropy = multi_label_cross_entropy(tf.constant(targets["labels"].reshape(-1, 5)), system.logits(f))
    expected = cross_entropy.numpy().mean() + system.params.system.triplet_weight * logs["hinge"]
    assert logs["hinge"] > 0
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)


def excerpts(count, seed=0):
    return tf.random.stateless_uniform([count, 129, 128], [0, seed])


def test_masked_form_equals_the_one_product_form():
    """Paper, eq. 9: logit_z = (f∘m_s)/‖f∘m_s‖ · (p_z∘m_s), tag by tag in NumPy."""
    system = tiny()
    f = np.abs(np.random.default_rng(0).normal(size=[4, 16])).astype(np.float32)
    vectors, masks = system.proxies.vectors.numpy(), VOCABULARY.masks(16)
    expected = np.empty([4, 5])
    for tag, notion in enumerate(VOCABULARY.notion_of_tag):
        masked = f * masks[notion]
        similarity = (masked / np.linalg.norm(masked, axis=1, keepdims=True)) @ (vectors[:, tag] * masks[notion])
        expected[:, tag] = similarity
    np.testing.assert_allclose(system.logits(tf.constant(f)), expected, rtol=1e-4, atol=1e-6)


def test_basic_proxies_see_the_whole_space():
    """Paper, eq. 6: logit_z = f/‖f‖ · p_z."""
    system = tiny("proxy_basic")
    f = np.abs(np.random.default_rng(0).normal(size=[4, 16])).astype(np.float32)
    expected = f / np.linalg.norm(f, axis=1, keepdims=True) @ system.proxies.vectors.numpy()
    np.testing.assert_allclose(system.logits(tf.constant(f)), expected, rtol=1e-4, atol=1e-6)


def batch(system, seed=0, pairs=4):
    """8 excerpts of very different loudness, with the targets that the system wants."""
    switches = system.params.system
    tags = np.random.default_rng(3).integers(0, 2, [pairs, 2, 5]).astype(bool)
    if not switches.uses_triplets:
        loud = tf.linspace(0.1, 2.0, 2 * pairs)[:, None, None]
        return excerpts(2 * pairs, seed) * loud, tf.cast(tags.reshape(-1, 5), tf.float32)
    per_track = switches.group
    tag = np.arange(pairs) % 5
    tags[np.arange(pairs), :, tag] = True
    loud = tf.reshape(tf.linspace(0.1, 2.0, 2 * pairs), [pairs, 2, 1, 1, 1])
    x = tf.reshape(excerpts(2 * pairs * per_track, seed), [pairs, 2, per_track, 129, 128]) * loud
    track = np.arange(2 * pairs).reshape(pairs, 2)
    return x, {"labels": tags.astype(np.float32), "tag": tag, "track": track, "apart": np.ones([pairs, 2], np.float32)}


@pytest.mark.parametrize("name", TABLE)
def test_learns_a_batch_by_heart(name):
    """The triplets' random negatives change with the step, so the first loss is compared with the last five."""
    system = tiny(name)
    system.compile(optimizer=keras.optimizers.Adam(0.05), jit_compile=False)
    losses = []
    for _ in range(60):
        losses.append(system.train_on_batch(*batch(system), return_dict=True)["loss"])
        system.reset_metrics()
    assert np.mean(losses[-5:]) < 0.5 * losses[0]


@pytest.mark.parametrize("name", TABLE)
def test_saves_and_restores(name, tmp_path):
    system = tiny(name)
    if system.params.system.system == "triplet":
        system.prototypes.vectors.assign(np.random.default_rng(0).random([5, 16]))
    x = excerpts(2)
    expected = system(x)
    system.save_weights(tmp_path / "a.weights.h5")
    keras.utils.set_random_seed(99)
    copy = build_system(system.params, VOCABULARY)
    assert np.abs(copy(x) - expected).max() > 1e-4
    copy.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(copy(x), expected)


@pytest.mark.parametrize("name", TABLE)
def test_two_replicas_take_the_same_steps_as_one(name, two_replicas):
    """The global batch is two equal halves, as each replica looks for negatives in its own. One replica gets one half
    if it mines, which it does with the hardest negatives here, and else the whole batch.

    Adam divides by the gradient's own size, so rounding of a tiny gradient may move a weight by a share of the
    learning rate: with 1e-3 a tolerance of 1e-4 is a tenth of one step."""
    results = []
    for strategy in (tf.distribute.get_strategy(), two_replicas):
        with strategy.scope():
            system = tiny(name, negatives="hard")
            system.compile(optimizer=keras.optimizers.Adam(1e-3, epsilon=1e-3), jit_compile=False)
        half = tf.data.Dataset.from_tensors(batch(system, pairs=2)).unbatch()
        twice = strategy is two_replicas or not system.params.system.uses_triplets
        data = half.concatenate(half) if twice else half
        data = data.batch(sum(1 for _ in data), drop_remainder=True).repeat()
        history = system.fit(data, steps_per_epoch=3, verbose=0).history
        results.append((history["loss"][0], system.get_weights()))
    assert results[1][0] == pytest.approx(results[0][0], rel=1e-4)
    for one, two in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(two, one, atol=1e-4, rtol=1e-3)


def test_first_loss_lies_near_the_tag_frequency_floor():
    prevalence = np.array([0.1, 0.2, 0.05, 0.5, 0.3])
    system = tiny(prevalence=prevalence, validation_prevalence=prevalence)
    labels = np.random.default_rng(5).random([64, 5]) < prevalence
    system.compile(optimizer="adam", jit_compile=False)
    logs = system.test_on_batch(excerpts(64), tf.constant(labels, tf.float32), return_dict=True)
    assert logs["above_floor"] == pytest.approx(logs["loss"] - entropy_floor(prevalence), abs=1e-4)
    assert abs(logs["above_floor"]) < 1.0


def test_track_embedding_is_the_normalised_mean_of_its_excerpts():
    system = tiny()
    batch = tf.reshape(excerpts(6), [2, 3, 129, 128])
    each = np.stack([system.normalise(system.encode(track)).numpy().mean(axis=0) for track in batch])
    expected = each / np.linalg.norm(each, axis=1, keepdims=True)
    np.testing.assert_allclose(system.embed(batch), expected, atol=1e-5)


def test_dead_subspaces_are_counted():
    """One of the two sub-spaces is switched off by a bias that no input reaches: half of all are dead."""
    system = tiny()
    bias = np.full(16, 0.1, np.float32)
    bias[8:] = -1e6
    system.embedding_layer.bias.assign(bias)
    system.compile(optimizer="adam", jit_compile=False)
    logs = system.test_on_batch(excerpts(4), tf.zeros([4, 5]), return_dict=True)
    assert logs["dead_share"] == pytest.approx(0.5)
    assert np.isfinite(logs["loss"])


@pytest.mark.parametrize("notions", [2, 7])
def test_any_number_of_notions(notions):
    vocabulary = Vocabulary.from_dict({f"n{i}": ["p", "q"] for i in range(notions)})
    params = dataclasses.replace(
        TINY, encoder=EncoderParams(width_multiplier=0.0625, blocks=1, embedding_dim=notions * 4)
    )
    system = build_system(params, vocabulary)
    assert system(excerpts(1)).shape == (1, 2 * notions)
    parts = tf.reshape(system.subspaces(tf.ones([1, notions * 4])), [notions, 4])
    np.testing.assert_allclose(tf.norm(parts, axis=1), np.ones(notions), rtol=1e-6)


def test_an_embedding_that_does_not_divide_is_refused_with_the_nearest_that_do():
    vocabulary = Vocabulary.from_dict({f"n{i}": ["p"] for i in range(7)})
    with pytest.raises(UserError, match="252 or 259"):
        build_system(NetworkParams(encoder=EncoderParams(width_multiplier=0.0625)), vocabulary)
