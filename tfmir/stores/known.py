"""Remote stores: TensorFlow's own file system where there is one for a scheme, else fsspec's.

`gs://` is TensorFlow's own; with the extra `io` so are `s3://`, `hdfs://` and `az://`. Without it `s3://` is s3fs' and
`az://` adlfs', through fsspec (the extras `s3` and `az`).
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import warnings
from typing import Any

from tfmir.errors import UserError
from tfmir.stores.fsspecs import FsspecStore
from tfmir.stores.store import Store
from tfmir.stores.tensorflows import TensorFlowStore

MODULES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "hdfs": "pyarrow"}  # scheme -> fsspec's module for it


def scheme(url: str) -> str:
    """What stands before `://`."""
    return url.partition("://")[0]


def extra_of(name: str) -> str:
    """The extra that is to be installed for a scheme."""
    return "io" if name == "hdfs" else name


def is_tensorflows(url: str) -> bool:
    """Whether TensorFlow itself, its data sets included, reads and writes a store."""
    return scheme(url) in _registered()


def store_of(url: str) -> Store:
    """The store of a name.

    Raises:
      UserError: nothing that is installed knows its scheme; names what to install.
    """
    return TensorFlowStore() if is_tensorflows(url) else _fsspec_store(scheme(url))


@functools.cache
def _registered() -> frozenset[str]:
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(Exception):  # under a later TensorFlow it imports, or not, and registers nothing
            import tensorflow_io  # noqa: F401
    return frozenset(tf.io.gfile.get_registered_schemes())


@functools.cache
def _fsspec_store(name: str) -> FsspecStore:
    if name not in MODULES:
        raise UserError(f"{name}://: no such kind of store: it must be one of {', '.join(MODULES)}, or a local path")
    if importlib.util.find_spec(MODULES[name]) is None:
        raise UserError(
            f"{name}://: nothing that is installed reads such stores: pip install 'tfmir[{extra_of(name)}]'"
        )
    import fsspec

    return FsspecStore(fsspec.filesystem(name, use_listings_cache=False, **_options(name)), name)


def _options(name: str) -> dict[str, Any]:
    """Those that s3fs does not read from TensorFlow's variables by itself."""
    if name != "s3":
        return {}
    client = {"endpoint_url": os.environ.get("S3_ENDPOINT"), "region_name": os.environ.get("AWS_REGION")}
    return {"client_kwargs": {key: value for key, value in client.items() if value}}
