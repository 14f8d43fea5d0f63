import pytest

from tfmir import flags
from tfmir.experiments import systems
from tfmir.train import TrainCommand


def params(repository, name):
    return flags.parse(["x", f"--flagfile={repository}/launch/{name}.flags"], TrainCommand).settings.system


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


def test_no_two_are_the_same(repository):
    assert len({str(params(repository, name)) for name in systems.ALL}) == 9
