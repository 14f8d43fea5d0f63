import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfmir import flags
from tfmir.errors import UserError
from tfmir.experiments import systems
from tfmir.model.build import build_system
from tfmir.model.joint import JointSystem
from tfmir.model.losses import entropy_floor
from tfmir.model.tagging import ClassificationSystem, ProxySystem
from tfmir.model.triplet import TripletSystem
from tfmir.params import EncoderParams, NetworkParams, RunParams, SystemParams, TrainParams
from tfmir.train import TrainCommand
from tfmir.vocabulary import Vocabulary

PREVALENCE = np.array([0.1, 0.2, 0.05, 0.5, 0.3])
KINDS = {
    "triplet": TripletSystem,
    "proxy": ProxySystem,
    "classification": ClassificationSystem,
    "joint": JointSystem,
}


def test_every_flag_file_says_its_row_of_the_table(name, table, repository, monkeypatch):
    monkeypatch.chdir(repository)
    command = flags.parse(["train", f"--flagfile=launch/{name}.flags"], TrainCommand)
    assert command.settings.system == table[name]
    assert command.run == f"runs/{name}"
    assert command.settings.training == TrainParams()


@pytest.mark.parametrize("corpus", ["msd", "jamendo"])
def test_the_same_on_a_real_corpus_at_full_width(name, table, corpus, tmp_path, monkeypatch):
    """From any folder: the flag files come with tfmir."""
    monkeypatch.chdir(tmp_path)
    given = [f"--flagfile=launch/{file}.flags" for file in (name, corpus)]
    command = flags.parse(["train", *given], TrainCommand)
    assert (command.records, command.run) == (f"tfrecords/{corpus}", f"runs/{name}-{corpus}")
    assert command.settings == RunParams(system=table[name])


def test_one_place_names_the_systems_and_launch_has_a_flag_file_for_each(table, repository):
    others = {"demo", "comparison", "compare", "tune", "msd", "jamendo", "sparse_demo", "complete_demo"}
    others |= {
        "statistics",
        "inception",
        "on_sparse",
        "on_complete",
        "compare_sparse",
        "compare_complete",
        "compare_inception",
        *systems.ABLATIONS,
    }
    assert {path.stem for path in (repository / "launch").glob("*.flags")} == {*systems.ALL, *systems.RANDOM, *others}
    assert set(table) == set(systems.ALL)


def test_every_kind_that_the_flag_allows_is_in_the_table(table):
    choices = next(field for field in dataclasses.fields(SystemParams) if field.name == "system").metadata["choices"]
    assert {switches.system for switches in table.values()} == set(choices) == set(KINDS)


def test_every_kind_has_its_class_and_the_switches_that_were_asked_for(name, table, tiny):
    system = tiny(name)
    assert type(system) is KINDS[table[name].system]
    assert system.params.system == table[name]
    assert system.built  # its variables are there: weights can be loaded next


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        (SystemParams("proxy", normalized=False), "needs --normalized"),
        (SystemParams("classification", normalized=False), "--disentangled needs --normalized"),
        (SystemParams("joint", disentangled=False), "needs --disentangled"),
        (SystemParams("proxy", track_weight=0.5), "has no triplets"),
    ],
)
def test_what_is_no_system_is_refused(switches, message, network, vocabulary):
    with pytest.raises(UserError, match=message):
        build_system(dataclasses.replace(network, system=switches), vocabulary)


def test_a_triplet_system_is_built_alike_with_tag_frequencies_and_without(tiny):
    """Whoever builds a system need not know which kinds have a use for them."""
    plain, given = tiny("triplet"), tiny("triplet", prevalence=PREVALENCE, validation_prevalence=PREVALENCE)
    for a, b in zip(plain.get_weights(), given.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not hasattr(given, "floors")


@pytest.mark.parametrize("argument", ["prevalence", "validation_prevalence"])
def test_the_class_of_triplet_systems_takes_no_tag_frequencies(argument, network, table, vocabulary):
    with pytest.raises(TypeError, match=argument):
        TripletSystem(dataclasses.replace(network, system=table["triplet"]), vocabulary, **{argument: PREVALENCE})


@pytest.mark.parametrize("kind", ["proxy", "classification", "joint"])
def test_systems_that_learn_tags_are_told_both_splits_frequencies(kind, tiny):
    other = PREVALENCE[::-1] / 2
    system = tiny(kind, prevalence=PREVALENCE, validation_prevalence=other)
    assert system.floors == (entropy_floor(PREVALENCE), entropy_floor(other))
    assert tiny(kind).floors == (0.0, 0.0)


@pytest.mark.parametrize("notions", [2, 7])
def test_any_number_of_notions(notions, network, excerpts):
    vocabulary = Vocabulary.from_dict({f"n{i}": ["p", "q"] for i in range(notions)})
    encoder = dataclasses.replace(network.encoder, embedding_dim=notions * 4)
    system = build_system(dataclasses.replace(network, encoder=encoder), vocabulary)
    assert system(excerpts(1)).shape == (1, 2 * notions)
    parts = tf.reshape(system.subspaces(tf.ones([1, notions * 4])), [notions, 4])
    np.testing.assert_allclose(tf.norm(parts, axis=1), np.ones(notions), rtol=1e-6)


def test_an_embedding_that_does_not_divide_is_refused_with_the_nearest_that_do():
    vocabulary = Vocabulary.from_dict({f"n{i}": ["p"] for i in range(7)})
    with pytest.raises(UserError, match="252 or 259"):
        build_system(NetworkParams(encoder=EncoderParams(width_multiplier=0.0625)), vocabulary)
