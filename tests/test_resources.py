import pathlib

import pytest

from tfmir import resources


@pytest.fixture
def homes(tmp_path, monkeypatch):
    """Folders that stand for the caller's, the working directory, the package, and the checkout around it."""
    folders = {name: tmp_path / name for name in ("beside", "here", "package", "checkout")}
    for folder in folders.values():
        folder.mkdir()
    monkeypatch.chdir(folders["here"])
    monkeypatch.setattr(resources, "_HOMES", [folders["package"], folders["checkout"]])
    return folders


def test_the_order_is_beside_then_here_then_the_package_then_the_checkout(homes):
    """Each file is found until a folder earlier in the order has one of its name."""
    for name in ("checkout", "package", "here", "beside"):
        (homes[name] / "a.flags").touch()
        found = resources.find("a.flags", beside=str(homes["beside"]))
        assert pathlib.Path(found).resolve() == homes[name] / "a.flags"
    assert resources.find("a.flags") == "a.flags"  # nothing to look beside: the one of the working directory


def test_an_absolute_path_is_taken_as_it_is(homes):
    (homes["here"] / "a.flags").touch()
    (homes["checkout"] / "a.flags").touch()
    assert resources.find(f"{homes['checkout']}/./a.flags") == f"{homes['checkout']}/a.flags"
    assert resources.find(f"{homes['beside']}/a.flags") == f"{homes['beside']}/a.flags"


def test_what_is_nowhere_keeps_its_name_for_the_message(homes):
    assert resources.find("launch/../no.flags", beside="beside") == "launch/../no.flags"


@pytest.mark.parametrize("name", ["launch/proxy.flags", "docs/comparison/published.csv"])
def test_what_comes_with_tfmir_is_found_from_any_folder(name, tmp_path, monkeypatch, repository):
    monkeypatch.chdir(tmp_path)
    assert pathlib.Path(resources.find(name)).read_bytes() == (repository / name).read_bytes()
