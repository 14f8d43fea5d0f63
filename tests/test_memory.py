import sys

import pytest

from tfmir import memory


@pytest.fixture
def container(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)

    def limited(limit, used):
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{used}\n")

    return limited


def test_a_container_has_what_its_limit_leaves(container):
    whole = memory.free_memory()
    assert whole > 1e8
    container(50_000_000, 20_000_000)
    assert memory.free_memory() == 30_000_000
    container("max", 20_000_000)
    assert memory.free_memory() == pytest.approx(whole, rel=0.5)


def test_the_system_is_asked_where_psutil_is_not_there(container, monkeypatch):
    container(10**15, 0)
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert memory.free_memory() > 1e7
