"""Which store a name leads to."""

import pytest

from tfmir.errors import UserError
from tfmir.stores import known
from tfmir.stores.known import is_tensorflows, scheme, store_of
from tfmir.stores.tensorflows import TensorFlowStore


def test_tensorflows_own_schemes_are_used_first(monkeypatch):
    assert scheme("gs://bucket/a") == "gs"
    assert is_tensorflows("file:///tmp")
    assert isinstance(store_of("file:///tmp"), TensorFlowStore)
    monkeypatch.setattr(known, "_registered", lambda: frozenset({"file"}))
    known._fsspec_store.cache_clear()
    assert not is_tensorflows("s3://b/a")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://b/a", r"s3://: nothing that is installed reads such stores: pip install 'tfmir\[s3\]'"),
        ("az://b/a", r"pip install 'tfmir\[az\]'"),
        ("hdfs://b/a", r"pip install 'tfmir\[io\]'"),
        ("ftp://b/a", "ftp://: no such kind of store: it must be one of s3, gs, az, hdfs, or a local path"),
    ],
)
def test_without_a_reader_the_error_names_what_to_install(monkeypatch, url, message):
    monkeypatch.setattr(known, "_registered", lambda: frozenset({"file"}))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    known._fsspec_store.cache_clear()
    with pytest.raises(UserError, match=message):
        store_of(url)


def test_s3_takes_tensorflows_variables(monkeypatch):
    pytest.importorskip("s3fs", reason="needs the extra `s3`")
    monkeypatch.setattr(known, "_registered", lambda: frozenset({"file"}))
    monkeypatch.setenv("S3_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    known._fsspec_store.cache_clear()
    found = store_of("s3://b/a").system.client_kwargs
    assert found == {"endpoint_url": "http://127.0.0.1:9", "region_name": "eu-west-1"}
    known._fsspec_store.cache_clear()
