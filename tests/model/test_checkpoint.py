import pytest

from tfmir.errors import UserError
from tfmir.model.checkpoint import load_weights


def empty(path):
    path.write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def text(path):
    path.write_text("no weights")


@pytest.mark.parametrize("damage", [empty, cut, text, lambda path: path.unlink()])
def test_a_file_that_cannot_be_read_is_one_line_with_the_remedy(tiny, tmp_path, damage):
    system = tiny("proxy")
    path = tmp_path / "best.weights.h5"
    system.save_weights(path)
    load_weights(system, path, remedy="copy it again")
    damage(path)
    with pytest.raises(
        UserError, match=r"best.weights.h5: no weights of this system can be read .*: copy it again"
    ) as told:
        load_weights(system, path, remedy="copy it again")
    assert "\n" not in str(told.value)


def test_weights_of_another_system_are_refused(tiny, tmp_path):
    tiny("triplet").save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(UserError, match="no weights of this system"):
        load_weights(tiny("classification"), tmp_path / "a.weights.h5", remedy="take its own")
