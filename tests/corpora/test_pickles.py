import os
import pickle

import numpy as np
import pytest

from tfmir.corpora.pickles import load_pickle
from tfmir.errors import UserError


def stored(tmp_path, value, protocol=2):
    path = tmp_path / "x.pkl"
    path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, protocol=protocol))
    return str(path)


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_lists_and_dicts_of_texts_numbers_and_arrays_are_read(tmp_path, protocol):
    value = {"a": ["x", 1, 2.5, None], "b": ("y", b"z"), "c": np.eye(3, dtype=bool), "d": np.float64(4)}
    found = load_pickle(stored(tmp_path, value, protocol), dict)
    np.testing.assert_array_equal(found.pop("c"), value.pop("c"))
    assert found == value


def test_what_python_2_wrote_is_read(tmp_path):
    """Protocol 0, with the byte strings and the names of functions of Python 2."""
    listed = b"(lp1\nS'TRAADIN128F931D672'\np2\naS'TR\\xe4'\np3\na."
    assert load_pickle(stored(tmp_path, listed), list) == ["TRAADIN128F931D672", "TRä"]
    array = (
        b"(dp0\nS'TRA'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntp4\nS'b'\np5\ntp6\n"
        b"Rp7\n(I1\n(I2\nI1\ntp8\ncnumpy\ndtype\np9\n(S'b1'\np10\nI0\nI1\ntp11\nRp12\n(I3\nS'|'\np13\nNNNI-1\nI-1\nI0\n"
        b"tp14\nbI00\nS'\\x01\\x00'\np15\ntp16\nbs."
    )
    np.testing.assert_array_equal(load_pickle(stored(tmp_path, array), dict)["TRA"], [[True], [False]])


class Attack:
    def __reduce__(self):
        return os.system, ("touch attacked",)


@pytest.mark.parametrize("value", [Attack(), {"a": [Attack()]}])
def test_a_pickle_that_runs_code_is_refused_and_runs_nothing(tmp_path, value, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"x.pkl: refused as a pickle \(it asks for (posix|nt).system\)"):
        load_pickle(stored(tmp_path, value), dict)
    assert not (tmp_path / "attacked").exists()


ARRAY = b"cnumpy\nndarray\n((I1\ntcnumpy\ndtype\n(S'%s'\nI0\nI1\ntRS'AAAAAAAA'\ntR."


@pytest.mark.parametrize(
    "value", [np.array([Attack()], object), ARRAY % b"O8", ARRAY % b"i8", b"cnumpy.core.multiarray\n_reconstruct\n"
    b"(cnumpy\ndtype\n(I0\ntS'b'\ntR."]
)  # fmt: skip
def test_no_array_of_objects_or_of_foreign_memory_is_made(tmp_path, value, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"x.pkl: refused as a pickle \(it (asks for|makes) an array of"):
        load_pickle(stored(tmp_path, value), dict)
    assert not (tmp_path / "attacked").exists()


@pytest.mark.parametrize("callable_name", ["builtins\neval", "numpy\nload", "numpy.core.multiarray\nfromfile"])
def test_nothing_else_can_be_named(tmp_path, callable_name):
    with pytest.raises(UserError, match="it asks for " + callable_name.replace("\n", ".")):
        load_pickle(stored(tmp_path, f"c{callable_name}\n.".encode()), dict)


@pytest.mark.parametrize("data", [b"", b"no pickle", pickle.dumps({"a": "b" * 1000})[:-300], b"\x80\x02Nb."])
def test_a_damaged_pickle_is_an_error(tmp_path, data):
    with pytest.raises(UserError, match="x.pkl: (not a pickle|refused)"):
        load_pickle(stored(tmp_path, data), dict)


def test_another_kind_of_value_and_a_missing_file_are_errors(tmp_path):
    with pytest.raises(UserError, match="list found, expected a dict"):
        load_pickle(stored(tmp_path, []), dict)
    with pytest.raises(UserError, match="no such file"):
        load_pickle(str(tmp_path / "nowhere"), dict)
