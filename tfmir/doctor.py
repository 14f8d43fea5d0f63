"""Says what of tfmir works on this machine, as a Markdown table for a bug report, and what must be mended.

python -m tfmir.doctor
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator

import tfmir
from tfmir import command
from tfmir.errors import UserError
from tfmir.markdown import table
from tfmir.memory import free_memory
from tfmir.stores.known import MODULES, extra_of

PYTHONS = ((3, 10), (3, 13))
TENSORFLOWS = ((2, 17), (2, 21))
_LEAST_MEMORY_GB = 2.0
_NEEDED = {
    "tensorflow": "tensorflow",
    "keras": "keras",
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "librosa": "librosa",
    "soundfile": "soundfile",
    "soxr": "soxr",
    "faiss": "faiss-cpu",
    "distributed": "distributed",
    "matplotlib": "matplotlib",
    "mutagen": "mutagen",
    "keras_tuner": "keras-tuner",
    "tensorboard": "tensorboard",
    "fsspec": "fsspec",
    "pyarrow": "pyarrow",
}
_LOADED = ("tensorflow", "keras", "numpy", "librosa", "soundfile", "soxr", "faiss")  # of the others being there must do
_LIBSNDFILE = {"wav": "WAV", "flac": "FLAC", "ogg": "OGG", "mp3": "MP3", "aiff": "AIFF"}
# What changes how libraries compute; of the others of these families, which may hold secrets, only that they are set.
_SHOWN = re.compile(
    r"KERAS_(BACKEND|HOME|MAX_\w+)|TF_(CPP|ENABLE|USE|NUM|XLA|GPU|FORCE|DETERMINISTIC|CUDNN)_\w+|MPLBACKEND|TMPDIR|LANG"
    r"|LC_ALL|CUDA_VISIBLE_DEVICES|OMP_NUM_THREADS|PYTHON(PATH|UTF8|OPTIMIZE|WARNINGS|IOENCODING|HASHSEED)"
)
_HIDDEN = re.compile(r"(TF|KERAS|AWS|AZURE|GOOGLE|S3|HDFS|KERASTUNER)_\w+|\w+_proxy", re.IGNORECASE)
_GIVEN = dict(os.environ)  # before a command overrides some of them


@dataclasses.dataclass(frozen=True)
class DoctorParams:
    """The command has no flags."""


@dataclasses.dataclass(frozen=True)
class Row:
    """What was looked at, what was found, and `ok` or what to do; `mend`: nothing works before it is done."""

    what: str
    found: str
    verdict: str = "ok"
    mend: bool = False


def main(params: DoctorParams) -> None:
    """Prints the table.

    Raises:
      UserError: something that every command needs does not work; the lines before it say what.
    """
    rows = [row for probe in PROBES for row in _tried(probe)]
    print(table(["what", "found", "verdict"], [(row.what, row.found, row.verdict) for row in rows]))
    broken = [row for row in rows if row.mend]
    for row in broken:
        print(f"to mend: {row.what}: {row.found}: {row.verdict}")
    if broken:
        raise UserError(f"tfmir does not work here before {len(broken)} of the above are mended: see the lines before")


def python() -> Iterator[Row]:
    """Python, platform, and tfmir itself."""
    good = PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]
    verdict = "ok" if good else f"take Python {_range(PYTHONS)}"
    yield Row("Python", platform.python_version(), verdict, mend=not good)
    yield Row("platform", platform.platform())
    yield Row("names of files", sys.getfilesystemencoding())
    yield Row("tfmir", tfmir.__version__)


def libraries() -> Iterator[Row]:
    """Everything that tfmir cannot do without, and whether it loads."""
    for module, name in _NEEDED.items():
        remedy = f"pip install --upgrade {name}"
        try:
            there = importlib.util.find_spec(module) is not None
            if there and module in _LOADED:
                importlib.import_module(module)
            version = importlib.metadata.version(name) if there else "not there"
        except Exception as error:
            yield Row(name, f"does not load: {_said(error)}", remedy, mend=True)
            continue
        if not there:
            yield Row(name, version, f"missing: {remedy}", mend=True)
        elif module == "tensorflow" and not TENSORFLOWS[0] <= _numbers(version) <= TENSORFLOWS[1]:
            wanted = f"pip install 'tensorflow>=2.{TENSORFLOWS[0][1]},<2.{TENSORFLOWS[1][1] + 1}'"
            yield Row(name, version, f"not {_range(TENSORFLOWS)}: {wanted}", mend=True)
        else:
            yield Row(name, version)


def devices() -> Iterator[Row]:
    """What computes, and in which numbers."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    yield Row("GPUs", ", ".join(names) or "none", "ok" if names else "ok: training is slow without")
    from tfmir.model.arithmetic import faster_than_float32

    yield Row("arithmetic beside float32", faster_than_float32() or "none")


def machine() -> Iterator[Row]:
    """Cores and memory; of a container, its own."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Row("CPU cores", str(cores))
    gigabytes = free_memory() / 1e9
    enough = gigabytes >= _LEAST_MEMORY_GB
    verdict = "ok" if enough else f"too little: free {_LEAST_MEMORY_GB:g} GB, or take a larger machine"
    yield Row("memory free", f"{gigabytes:.1f} GB", verdict, mend=not enough)


def folders() -> Iterator[Row]:
    """Where tfmir writes; it can do without a home."""
    for what, folder, needed, remedy in (
        ("working directory", os.curdir, True, "work in a folder of your own"),
        ("temporary files", None, True, "set TMPDIR to a folder that you may write to"),
        ("home", os.path.expanduser("~"), False, "ok: it is not needed"),
    ):
        try:
            with tempfile.TemporaryFile(dir=folder):
                yield Row(what, "can be written to")
        except OSError as error:
            yield Row(what, f"cannot be written to: {error.strerror}", remedy, mend=needed)


def formats() -> Iterator[Row]:
    """The audio files that will be read."""
    try:
        import soundfile

        known = soundfile.available_formats()
        lacking = [name for name, kind in _LIBSNDFILE.items() if kind not in known]
        verdict = f"no {', '.join(lacking)}: pip install --upgrade soundfile" if lacking else "ok"
        yield Row(", ".join(_LIBSNDFILE), f"libsndfile {soundfile.__libsndfile_version__}", verdict)
    except Exception as error:
        yield Row(", ".join(_LIBSNDFILE), f"no libsndfile: {_said(error)}", "pip install --upgrade soundfile")
    yield _optional("m4a, aac, alac, wma, webm", "av", "PyAV", extra="formats")


def stores() -> Iterator[Row]:
    """The stores that will be reached; nothing is asked of them."""
    yield Row("local files", "always")
    yield _optional("tensorflow-io", "tensorflow_io", "tensorflow-io", otherwise="ok: fsspec reads stores without it")
    try:
        import tensorflow as tf

        registered = set(tf.io.gfile.get_registered_schemes())
    except Exception:  # told already
        registered = set()
    for scheme, module in MODULES.items():
        if scheme in registered:
            yield Row(f"{scheme}://", "by TensorFlow")
        else:
            yield _optional(f"{scheme}://", module, module, extra=extra_of(scheme))


def services() -> Iterator[Row]:
    """What is there for endpoints and catalogues."""
    yield _optional("page in a browser", "starlette", "starlette", extra="page")
    yield _optional("warm-up requests", "tensorflow_serving", "tensorflow-serving-api", extra="serving")
    yield _optional("qdrant://", "qdrant_client", "qdrant-client", extra="qdrant")


def environment() -> Iterator[Row]:
    """Variables that change what libraries do; of those that may hold a secret, only that they are set."""
    for name, value in sorted(_GIVEN.items()):
        if _SHOWN.fullmatch(name):
            overridden = name in command.OVERRIDDEN and value != os.environ.get(name)
            yield Row(name, repr(value), "ok: commands override it" if overridden else "ok")
        elif _HIDDEN.fullmatch(name):
            yield Row(name, "set")


PROBES: tuple[Callable[[], Iterator[Row]], ...] = (
    python, libraries, devices, machine, folders, formats, stores, services, environment,
)  # fmt: skip


def _tried(probe: Callable[[], Iterator[Row]]) -> Iterator[Row]:
    """The rows of a probe, and what ended it if it did not end by itself."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield from probe()
    except Exception as error:
        yield Row(probe.__name__, f"cannot be told: {_said(error)}", "–")


def _optional(what: str, module: str, name: str, *, extra: str = "", otherwise: str = "") -> Row:
    remedy = f"pip install 'tfmir[{extra}]'"
    if importlib.util.find_spec(module) is None:
        return Row(what, f"no {name}", otherwise or f"missing: {remedy}")
    try:
        loaded = importlib.import_module(module)
    except Exception as error:
        return Row(what, f"{name} does not load: {_said(error)}", otherwise or remedy)
    return Row(what, f"{name} {getattr(loaded, '__version__', '')}".strip())


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


def _range(versions: tuple[tuple[int, int], tuple[int, int]]) -> str:
    return " to ".join(".".join(map(str, version)) for version in versions)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


if __name__ == "__main__":
    command.run(main, DoctorParams)
