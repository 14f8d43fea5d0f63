import dataclasses

import pytest

from tfmir import flags
from tfmir.experiments import systems
from tfmir.train import TrainCommand
from tfmir.training.loop import steps_per_epoch


def command(repository, *names):
    return flags.parse(["x", *(f"--flagfile={repository}/launch/{name}.flags" for name in names)], TrainCommand)


def params(repository, name):
    return command(repository, name).settings.system


def test_the_nine_are_eight_of_the_paper_and_the_joint_one():
    assert len(set(systems.ALL)) == len(systems.ALL) == 9
    assert (*systems.PAPER, systems.JOINT) == systems.ALL


@pytest.mark.parametrize("name", systems.ALL)
def test_each_is_a_flag_file_of_its_kind(repository, name):
    """Table 1 of the paper: the family, and what is switched on."""
    found = params(repository, name)
    families = {"triplet": systems.TRIPLET, "proxy": systems.PROXY, "classification": systems.CLASSIFICATION}
    assert name in families.get(found.system, (systems.JOINT,))
    assert found.disentangled == (name in systems.DISENTANGLED)
    assert found.normalized == (name != "classification_plain")
    assert (found.track_weight > 0) == (name == "triplet_track")


def test_an_alias_is_another_system_of_the_nine_and_not_named_for_itself():
    """That the two are one function to the last bit, trained too, is shown in `model/test_tagging.py`."""
    assert set(systems.ALIASES) | set(systems.ALIASES.values()) <= set(systems.PAPER)
    assert not set(systems.ALIASES) & set(systems.ALIASES.values())


def test_a_variant_is_its_sibling_with_random_negatives_where_its_file_comes_last(repository):
    """Also after settings that say otherwise; alone, it names its run."""
    assert len(systems.RANDOM) == len(systems.TRIPLET)
    assert not {*systems.RANDOM} & {*systems.ALL}
    for variant, sibling in zip(systems.RANDOM, systems.TRIPLET, strict=True):
        assert variant == f"{sibling}_random"
        alone = command(repository, variant)
        assert (alone.run, alone.settings.system.negatives) == (f"runs/{variant}", "random")
        after = command(repository, "comparison", variant).settings
        compared = command(repository, "comparison", sibling).settings
        assert compared.system.negatives == "all"
        assert after == dataclasses.replace(compared, system=dataclasses.replace(compared.system, negatives="random"))


@pytest.mark.parametrize("setting", ["demo", "comparison", "statistics", "msd"])
@pytest.mark.parametrize("tracks", [1, 31, 1200, 12000])
def test_one_setting_gives_all_systems_equally_many_steps_an_epoch(repository, setting, tracks):
    """And as many epochs where the schedule ends with them: a fixed budget is the same for all."""
    of_systems = [command(repository, name, setting).settings for name in (*systems.ALL, *systems.RANDOM)]
    assert len({steps_per_epoch(found, tracks) for found in of_systems}) == 1
    assert len({found.training for found in of_systems}) == 1
    assert len({found.pipeline for found in of_systems}) == 1


def test_no_two_are_the_same(repository):
    assert len({str(params(repository, name)) for name in systems.ALL}) == 9
