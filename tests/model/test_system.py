import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmir.model.build import build_system


def numpy_unit(x):
    """Written anew: a row divided by its norm, a zero row as it is."""
    norms = np.sqrt((x.astype(np.float64) ** 2).sum(axis=-1, keepdims=True))
    return x / np.where(norms > 0, norms, 1)


def compiled(system, optimizer):
    """As the training loop does it: an optimiser without its variables would have the step traced twice."""
    system.compile(optimizer=optimizer, jit_compile=False)
    optimizer.build(system.trainable_variables)


def test_the_parts_of_the_embedding_have_names_and_every_tag_has_its_part(name, table, tiny):
    system = tiny(name)
    if table[name].disentangled:
        assert system.spaces == ("genre", "mood")
        assert system.notion_of_tag.tolist() == [0, 0, 0, 1, 1]
    else:
        assert system.spaces == ("whole",)
        assert system.notion_of_tag.tolist() == [0] * 5
    assert system.notions == len(system.spaces)


def test_the_embedding_layer_is_a_relu_of_the_encoder(tiny, excerpts):
    """f = max(0, W e + b) in NumPy, and not normalised."""
    system = tiny()
    e = system.encoder(excerpts(4)).numpy().astype(np.float64)
    kernel, bias = (weight.numpy() for weight in system.embedding_layer.weights)
    f = system.encode(excerpts(4)).numpy()
    np.testing.assert_allclose(f, np.maximum(e @ kernel + bias, 0), rtol=1e-4, atol=1e-5)
    assert np.abs(np.linalg.norm(f, axis=1) - 1).max() > 0.01


def test_an_excerpts_embedding_is_of_unit_norm(tiny, excerpts):
    system = tiny()
    expected = numpy_unit(system.encode(excerpts(5)).numpy())
    np.testing.assert_allclose(system.excerpt_embeddings(excerpts(5)), expected, atol=1e-6)


def test_a_track_is_the_normalised_mean_of_its_normalised_excerpts(tiny, excerpts):
    system = tiny()
    x = tf.reshape(excerpts(6), [2, 3, 129, 128]) * tf.reshape(tf.linspace(0.1, 2.0, 6), [2, 3, 1, 1])
    each = np.stack([numpy_unit(system.encode(track).numpy()).mean(axis=0) for track in x])
    np.testing.assert_allclose(system.embed(x), numpy_unit(each), atol=1e-5)
    # The loudest excerpt would speak for its track if each had not been normalised first.
    loud = np.stack([system.encode(track).numpy().mean(axis=0) for track in x])
    assert np.abs(numpy_unit(loud) - system.embed(x)).max() > 1e-3


def test_tracks_of_different_numbers_of_excerpts(tiny):
    """By hand, in four of the dimensions: track 0 has (1 0 0 0) and (0 1 0 0): (√½ √½ 0 0); track 1 has (0 0 1 0)
    alone; track 2 has (0 0 0 1) twice and (1 0 0 0) once: (1 0 0 2) / √5."""
    rows = np.eye(16, dtype=np.float32)[[0, 1, 2, 3, 3, 0]]
    found = tiny().track_embeddings(tf.constant(rows), tf.constant([0, 0, 1, 2, 2, 2]))[:, :4]
    half, fifth = np.sqrt(0.5), np.sqrt(0.2)
    np.testing.assert_allclose(found, [[half, half, 0, 0], [0, 0, 1, 0], [fifth, 0, 0, 2 * fifth]], atol=1e-6)


def test_without_normalisation_a_track_is_the_plain_mean(tiny, excerpts):
    """A system that is not normalised keeps f as it is, also for its sub-space."""
    system = tiny("classification_plain")
    f = system.encode(excerpts(3))
    np.testing.assert_allclose(system.embed(excerpts(3)[tf.newaxis]), [f.numpy().mean(axis=0)], rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(system.excerpt_embeddings(excerpts(3)), f)
    np.testing.assert_array_equal(system.subspaces(f), f)


def test_a_dead_excerpt_adds_nothing_to_its_track_and_a_dead_track_is_zero(tiny):
    """(3 4) / 5 and zero: the mean has the direction of (3 4); zero alone stays zero, without NaN."""
    rows = np.zeros([3, 16], np.float32)
    rows[0, :2] = 0.6, 0.8
    found = tiny().track_embeddings(tf.constant(rows), tf.constant([0, 0, 1])).numpy()
    np.testing.assert_allclose(found[0, :2], [0.6, 0.8], rtol=1e-6)
    np.testing.assert_array_equal(found[1], np.zeros(16))


def test_dead_subspaces_are_counted(tiny, excerpts):
    """One of the two sub-spaces is switched off by a bias that no input reaches: half of all are dead."""
    system = tiny()
    bias = np.full(16, 0.1, np.float32)
    bias[8:] = -1e6
    system.embedding_layer.bias.assign(bias)
    system.compile(optimizer="adam", jit_compile=False)
    targets = {"labels": tf.zeros([4, 5]), "track": tf.range(4)}
    logs = system.test_on_batch(excerpts(4), targets, return_dict=True)
    assert logs["dead_share"] == pytest.approx(0.5)
    assert np.isfinite(logs["loss"])


def test_validation_learns_nothing(name, tiny, batch):
    """Neither a weight nor a moving moment of the normalisation."""
    system = tiny(name)
    system.compile(optimizer="adam", jit_compile=False)
    before = system.get_weights()
    system.test_on_batch(*batch(system))
    for a, b in zip(before, system.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_learns_a_batch_by_heart(name, tiny, batch):
    """The triplets' random negatives change with the step, so the first loss is compared with the last five; large
    steps would throw a system that has nothing but them back and forth."""
    system = tiny(name)
    compiled(system, keras.optimizers.Adam(0.01 if system.params.system.system == "triplet" else 0.05))
    losses = []
    for _ in range(60):
        losses.append(system.train_on_batch(*batch(system), return_dict=True)["loss"])
        system.reset_metrics()
    assert np.mean(losses[-5:]) < 0.5 * losses[0]


def test_saves_and_restores(name, tiny, excerpts, vocabulary, tmp_path):
    system = tiny(name)
    if system.params.system.system == "triplet":
        system.prototypes.vectors.assign(np.random.default_rng(0).random([5, 16]))
    x = excerpts(2)
    expected = system(x)
    system.save_weights(tmp_path / "a.weights.h5")
    keras.utils.set_random_seed(99)
    copy = build_system(system.params, vocabulary)
    assert np.abs(copy(x) - expected).max() > 1e-4
    copy.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(copy(x), expected)


@pytest.mark.parametrize(
    ("name", "encoder"),
    [("triplet_track", "inception"), ("classification_plain", "statistics"), ("joint", "statistics")],
)  # with triplets, without, and with lists
def test_two_replicas_take_the_same_steps_as_one(name, encoder, tiny, batch, two_replicas):
    """The global batch is two equal halves, as each replica compares the excerpts of its own. One replica gets one half
    if it forms triplets, all of them here, and else the whole batch. (The unbiased variance of the moving moments tells
    half the excerpts from all, but not half of the many positions that convolutions have.) There a list has every
    excerpt of another track twice: targets and predictions are halved, so the cross-entropy is log 2 larger and no
    gradient is.

    Adam divides by the gradient's own size, so rounding of a tiny gradient may move a weight by a share of the
    learning rate: with 1e-3 a tolerance of 1e-4 is a tenth of one step."""
    results = []
    for strategy in (tf.distribute.get_strategy(), two_replicas):
        with strategy.scope():
            system = tiny(name, negatives="all", encoder=encoder)
            compiled(system, keras.optimizers.Adam(1e-3, epsilon=1e-3))
        switches = system.params.system
        half = tf.data.Dataset.from_tensors(batch(system, pairs=4 if switches.compares_excerpts else 2)).unbatch()
        twice = strategy is two_replicas or not switches.uses_triplets
        data = half.concatenate(half) if twice else half
        data = data.batch(sum(1 for _ in data), drop_remainder=True).repeat()
        history = system.fit(data, steps_per_epoch=3, verbose=0).history
        results.append((history["loss"][0], system.get_weights()))
    lists = 2 * switches.list_weight + switches.whole_weight if switches.compares_excerpts else 0.0
    assert results[1][0] == pytest.approx(results[0][0] - lists * np.log(2), rel=1e-4)
    for one, two in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(two, one, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("overflow", [False, True])
def test_a_float16_step_that_overflows_on_the_second_replica_is_left_out_on_both(
    overflow, tiny, batch, vocabulary, two_replicas
):
    """Without normalisation, which would share the overflow by its moments. Keras asks the first replica alone."""
    network = tiny().params
    bare = dataclasses.replace(network, encoder=network.encoder.without_normalisation)
    with two_replicas.scope():
        system = build_system(bare, vocabulary, precision="float16")
        system.compile(optimizer=keras.optimizers.Adam(1e-3), jit_compile=False)
        system.optimizer.build(system.trainable_variables)  # with the loss scaling around Adam
    excerpts, targets = batch(system)
    loud = excerpts * np.where(np.arange(8) < 4, 1, 1e9 if overflow else 1)[:, None, None]
    before = [weight.numpy() for weight in system.trainable_variables]
    data = tf.data.Dataset.from_tensors((tf.cast(loud, tf.float32), targets)).unbatch().batch(8).repeat()
    system.fit(data, steps_per_epoch=1, verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, system.trainable_variables, strict=True)]
    assert any(changed) is not overflow
    assert all(np.isfinite(weight).all() for weight in system.get_weights())
