"""What is TensorFlow's alone; `test_store.py` has what both kinds of store can do."""

import pytest

from tfmir.errors import UserError
from tfmir.stores.tensorflows import TensorFlowStore


def test_what_tensorflow_does_not_let_be_is_told_with_the_remedy(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(UserError, match=r"file/below: .*: check the address, the credentials"):
        TensorFlowStore().write(f"file://{tmp_path}/file/below", b"")


def test_where_nothing_can_be_written_there_is_no_store(tmp_path):
    with pytest.raises(UserError, match="absent/x: there is no such bucket or store: check the address"):
        TensorFlowStore().write(f"file://{tmp_path}/absent/x", b"")
