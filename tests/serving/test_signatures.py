import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmir.data.features import log_mel
from tfmir.inference.audio import embed_waveforms
from tfmir.model.build import build_system
from tfmir.params import EncoderParams, NetworkParams, SystemParams
from tfmir.serving.signatures import model_info, outputs, signatures
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"genre": ["a", "b"], "mood": ["x"]})


def make(switches):
    keras.utils.set_random_seed(2)
    return build_system(
        NetworkParams(EncoderParams(encoder="statistics", width_multiplier=0.0625, embedding_dim=16), switches),
        VOCABULARY,
    )


@pytest.fixture(scope="module")
def waves():
    """Two waveforms of 7 seconds: two excerpts each, the second louder than the first."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, [2, 7 * 22050])
    return (noise * np.linspace(0.05, 1.0, 7 * 22050)).astype(np.float32)


def numpy_unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def numpy_embeddings(system, waves):
    """Encode, normalise, mean, normalise, excerpt by excerpt in NumPy."""
    frames = log_mel(tf.constant(waves), system.params.features).numpy()
    rows = []
    for track in frames:
        excerpts = np.stack([track[i : i + 129] for i in range(0, len(track) - 128, 129)])
        rows.append(numpy_unit(numpy_unit(system.encode(excerpts).numpy().astype(np.float64)).mean(axis=0)))
    return np.array(rows)


def test_every_signature_serves_its_part_of_one_embedding(waves):
    """The sub-spaces and the scores are computed from the whole embedding, in NumPy; the proxies' masks are slices."""
    system = make(SystemParams("proxy"))
    served, embedding = signatures(system), numpy_embeddings(system, waves)
    parts = {"genre": numpy_unit(embedding[:, :8]), "mood": numpy_unit(embedding[:, 8:])}
    vectors = system.proxies.vectors.numpy()
    logits = np.concatenate([parts["genre"] @ vectors[:8, :2], parts["mood"] @ vectors[8:, 2:]], axis=1)
    expected = {
        "embedding": embedding,
        "embedding_genre": parts["genre"],
        "embedding_mood": parts["mood"],
        "scores": 1 / (1 + np.exp(-logits)),
    }
    everything = served["serving_default"](tf.constant(waves))
    assert set(everything) == {*expected, *FACTS}
    for key, value in expected.items():
        np.testing.assert_allclose(everything[key], value, atol=1e-5, err_msg=key)
    assert everything["valid"].numpy().all()
    assert everything["alive"].numpy().all()
    assert everything["excerpts"].numpy().tolist() == [2, 2]
    for name, key, whole in (
        ("embed", "embedding", "embedding"),
        ("embed_genre", "embedding", "embedding_genre"),
        ("embed_mood", "embedding", "embedding_mood"),
        ("tag", "scores", "scores"),
    ):
        found = served[name](tf.constant(waves))
        assert set(found) == {key, *FACTS}
        np.testing.assert_allclose(found[key], expected[whole], atol=1e-5, err_msg=name)


def test_search_votes_and_signatures_share_one_embedding(waves):
    system = make(SystemParams("proxy"))
    np.testing.assert_allclose(embed_waveforms(system, tf.constant(waves)), numpy_embeddings(system, waves), atol=1e-5)


def test_an_excerpt_is_served_as_a_track_of_one(waves):
    system = make(SystemParams("proxy"))
    excerpts = log_mel(tf.constant(waves), system.params.features)[:, :129]
    expected = numpy_unit(system.encode(excerpts).numpy())
    np.testing.assert_allclose(signatures(system)["embed_log_mel"](excerpts)["embedding"], expected, atol=1e-5)


NOTIONS = {"embed_genre", "embed_mood"}
ALWAYS = {"serving_default", "embed", "tag"}
FACTS = {"valid", "alive", "excerpts"}
SUFFIXES = ("", "_num_samples", "_wav_bytes")


@pytest.mark.parametrize(
    ("switches", "names"),
    [
        (SystemParams("triplet", disentangled=False), ALWAYS),
        (SystemParams("triplet"), ALWAYS | NOTIONS),
        (SystemParams("classification", disentangled=False, normalized=False), ALWAYS),
        (SystemParams("classification"), ALWAYS | NOTIONS),
        (SystemParams("joint"), ALWAYS | NOTIONS),
    ],
)
def test_only_a_system_with_sub_spaces_serves_them(switches, names):
    """By name: nothing is traced."""
    system = make(switches)
    of_songs = {f"{name}{suffix}" for name in {*names, "excerpts"} for suffix in SUFFIXES}
    assert set(signatures(system)) == of_songs | {f"{name}_log_mel" for name in names}
    found = outputs(system, tf.ones([1, 16]), tf.constant([1]))
    assert found["alive"].shape == [1, 2 if names >= NOTIONS else 1]
    assert set(found) == {"embedding", "scores", *FACTS} | (
        {"embedding_genre", "embedding_mood"} if names >= NOTIONS else set()
    )


def test_a_dead_subspace_is_served_as_zeros_and_named(waves):
    """The even unit vector in its place would be near to half of any catalogue. The scores are sigmoid(0) there."""
    system = make(SystemParams("proxy"))
    embedding = np.zeros([1, 16], np.float32)
    embedding[0, 0] = 1
    found = outputs(system, tf.constant(embedding), tf.constant([1]))
    np.testing.assert_allclose(found["embedding_genre"], embedding[:, :8])
    np.testing.assert_array_equal(found["embedding_mood"], np.zeros([1, 8]))
    np.testing.assert_allclose(found["embedding"], embedding)
    assert found["alive"].numpy().tolist() == [[True, False]]
    assert found["valid"].numpy().tolist() == [True]
    assert float(found["scores"][0, 2]) == 0.5


def test_silence_in_a_system_without_norms_is_served_as_it_is():
    """There is no unit norm to keep up."""
    system = make(SystemParams("classification", disentangled=False, normalized=False))
    found = outputs(system, tf.zeros([1, 16]), tf.constant([1]))
    np.testing.assert_array_equal(found["embedding"], np.zeros([1, 16]))
    assert found["valid"].numpy().tolist() == [True]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_embedding_that_is_no_number_is_not_valid(value):
    """A song of samples around 1e38, each finite, has such a one."""
    system = make(SystemParams("proxy"))
    embedding = np.full([2, 16], 0.25, np.float32)
    embedding[1, 3] = value
    found = outputs(system, tf.constant(embedding), tf.constant([4, 4]))
    assert found["valid"].numpy().tolist() == [True, False]
    assert found["excerpts"].numpy().tolist() == [4, 0]
    for key in ("embedding", "embedding_mood", "scores", "alive"):
        assert not found[key].numpy()[1].any(), key
        assert found[key].numpy()[0].any(), key


def test_the_card_is_given_to_every_row_and_to_none():
    info = model_info('{"tags": []}')
    assert info(tf.constant([b"", b"x"]))["card"].numpy().tolist() == [b'{"tags": []}'] * 2
    assert info(tf.constant([], tf.string))["card"].shape == [0]
