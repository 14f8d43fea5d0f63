"""The nine systems at their smallest, and a batch of the kind that each of them learns from."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmir.model.build import build_system
from tfmir.params import EncoderParams, NetworkParams, SystemParams
from tfmir.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_dict({"genre": ["a", "b", "c"], "mood": ["x", "y"]})
TINY = NetworkParams(encoder=EncoderParams(encoder="statistics", width_multiplier=0.0625, embedding_dim=16))
TABLE = {
    "triplet": SystemParams("triplet", disentangled=False),
    "triplet_disentangled": SystemParams("triplet"),
    "triplet_track": SystemParams("triplet", track_weight=0.5),
    "proxy_basic": SystemParams("proxy", disentangled=False),
    "proxy": SystemParams("proxy"),
    "classification_plain": SystemParams("classification", disentangled=False, normalized=False),
    "classification": SystemParams("classification", disentangled=False),
    "classification_disentangled": SystemParams("classification"),
    "joint": SystemParams("joint", unannotated_weight=0.1),
}


@pytest.fixture(scope="session")
def vocabulary():
    return VOCABULARY


@pytest.fixture(scope="session")
def network():
    """Sizes of the small systems."""
    return TINY


@pytest.fixture(scope="session")
def table():
    """Name of a system -> its switches."""
    return TABLE


@pytest.fixture(params=TABLE)
def name(request):
    """Every system in turn."""
    return request.param


@pytest.fixture(scope="session")
def tiny():
    """A small system by its name, the same weights each time."""

    def build(name="proxy", negatives="random", encoder="statistics", **kwargs):
        keras.utils.set_random_seed(0)
        switches = dataclasses.replace(TABLE[name], negatives=negatives)
        layers = dataclasses.replace(TINY.encoder, encoder=encoder, blocks=1)
        return build_system(dataclasses.replace(TINY, encoder=layers, system=switches), VOCABULARY, **kwargs)

    return build


@pytest.fixture(scope="session")
def excerpts():
    def draw(count, seed=0):
        return tf.random.stateless_uniform([count, 129, 128], [0, seed])

    return draw


@pytest.fixture(scope="session")
def batch(excerpts):
    """8 excerpts of very different loudness, with the targets that the system wants."""

    def draw(system, seed=0, pairs=4):
        switches = system.params.system
        tags = np.random.default_rng(3).integers(0, 2, [pairs, 2, 5]).astype(bool)
        if not switches.uses_triplets:
            loud = tf.linspace(0.1, 2.0, 2 * pairs)[:, None, None]
            labels = tf.cast(tags.reshape(-1, 5), tf.float32)
            return excerpts(2 * pairs, seed) * loud, {"labels": labels, "track": tf.range(2 * pairs, dtype=tf.int64)}
        group = switches.group
        tag = np.arange(pairs) % 5
        tags[np.arange(pairs), :, tag] = True
        loud = tf.reshape(tf.linspace(0.1, 2.0, 2 * pairs), [pairs, 2, 1, 1, 1])
        x = tf.reshape(excerpts(2 * pairs * group, seed), [pairs, 2, group, 129, 128]) * loud
        track = np.arange(2 * pairs).reshape(pairs, 2)
        apart = np.ones([pairs, 2], np.float32)
        return x, {"labels": tags.astype(np.float32), "tag": tag, "track": track, "apart": apart}

    return draw
