"""What is fsspec's alone; `test_store.py` has what both kinds of store can do."""

import datetime

import pytest

from tfmir.errors import UserError
from tfmir.stores.fsspecs import FsspecStore, _changed


@pytest.mark.parametrize(
    ("facts", "changed"),
    [
        ({"LastModified": datetime.datetime(1970, 1, 1, 0, 0, 2, 5, tzinfo=datetime.timezone.utc)}, 2_000_005_000),
        ({"mtime": datetime.datetime(1970, 1, 1, 0, 0, 1)}, 1_000_000_000),
        ({"created": 1.5}, 1_500_000_000),
        ({"size": 3, "created": "yesterday"}, 0),
    ],
)
def test_when_a_file_was_changed_as_stores_say_it(facts, changed):
    assert _changed(facts) == changed


def test_a_store_that_refuses_is_told_with_the_remedy():
    class Refusing:
        def pipe_file(self, url, data):
            raise PermissionError("Access\n  Denied")

    with pytest.raises(UserError, match=r"s3://b/x: Access Denied: check the address, the credentials"):
        FsspecStore(Refusing(), "s3").write("s3://b/x", b"")
