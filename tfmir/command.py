"""The frame around every command: the environment of TensorFlow, errors to exit codes, and how a process ends.

A command is a dataclass of parameters and a function of it:

    if __name__ == "__main__":
        command.run(main, PrepareParams)
"""

from __future__ import annotations

import atexit
import codecs
import contextlib
import errno
import io
import os
import select
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from typing import Any

from tfmir import folders, quiet, remote
from tfmir.errors import UserError
from tfmir.flags import parse

EXIT_BUG = 1
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130
_INTERRUPTED = "interrupted: give the same command again"
_SILENT = "3"
_ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    # No folder: ~/.keras/keras.json may ask for another backend, data format or precision.
    "KERAS_HOME": os.devnull,
    "TF_USE_LEGACY_KERAS": "0",
    # Figures are drawn into files; a notebook's backend is there in its own processes only.
    "MPLBACKEND": "agg",
}
# They would end every training early, or have Keras look for flax.
_NOT_OURS = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED")
_AT_ONCE: list[bool] = []
_CACHES = ("NUMBA_CACHE_DIR", "MPLCONFIGDIR")
OVERRIDDEN = (*_ENVIRONMENT, *_NOT_OURS)
_DISK_REFUSES = (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.ENOTDIR)


def run(main: Callable[[Any], object], params_class: type, *, resumes: bool = False) -> None:
    """Parses the command line into `params_class`, calls `main` with it, and turns errors into exit codes.

    Exit codes: 0 done; 1 a bug, with its traceback; 2 a mistake that the message explains; 130 interrupted. `resumes`:
    given again, the command goes on where it was interrupted.
    """
    _start_again_if_needed()
    _mend_streams()
    set_environment()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        params: Any = parse(sys.argv, params_class)
        if sys.flags.optimize > 1:
            raise UserError("python -OO drops the docstrings, which TensorFlow reads: leave it out, or take -O")
        main(params)
        sys.stdout.flush()
        leave(0)
    except SystemExit as left:  # after --help
        leave(int(left.code or 0))
        raise
    except (Exception, KeyboardInterrupt) as error:
        code, message = _verdict(error, resumes=resumes)
        with contextlib.suppress(OSError):  # nobody may be reading it
            sys.stderr.write(f"{message}\n" if message else traceback.format_exc() if code else "")
        leave(code)


def set_environment() -> None:
    """What a command needs before TensorFlow and Keras are imported, whatever the user's other work needs.

    The user's choice stands where it is one of taste: oneDNN, which doubles training speed on CPUs without AVX-512,
    where it is off by default, and what TensorFlow logs.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", _SILENT) == _SILENT:
        quiet.importing("tensorflow")
    os.environ.update(_ENVIRONMENT)
    for name in _NOT_OURS:
        os.environ.pop(name, None)
    if not folders.can_be_written(os.path.expanduser("~/.cache")):
        with contextlib.suppress(OSError):  # no place at all: what needs one says so
            _put_caches(tempfile.mkdtemp(prefix="tfmir-"))
    if any(option.startswith("error") for option in sys.warnoptions):  # a library's warning is not an error of ours
        sys.warnoptions[:] = [option for option in sys.warnoptions if not option.startswith("error")]
        os.environ.pop("PYTHONWARNINGS", None)
        for entry in [entry for entry in warnings.filters if entry[0] == "error"]:
            warnings.filters.remove(entry)  # type: ignore[attr-defined]


def leave(code: int) -> None:
    """Ends the process with an exit code, after everything that was printed.

    Where a remote store was used, or machines trained together, without the interpreter's own end: tensorflow-io's S3
    aborts there, and TensorFlow's servers.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # nobody reads it, or the disk is full: the interpreter's end would say so once more
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if remote.was_used() or _AT_ONCE:
        os._exit(code)
    if code:
        sys.exit(code)


def leave_at_once() -> None:
    """Has `leave` end the process without the interpreter's own end."""
    _AT_ONCE.append(True)


def _start_again_if_needed() -> None:
    """Starts Python again where it takes all names for ASCII (the C locale with PYTHONUTF8=0) or has no docstrings.

    TensorFlow 2.17 cannot be imported without docstrings (PYTHONOPTIMIZE=2). The process keeps its number.
    """
    needed = {}
    if codecs.lookup(sys.getfilesystemencoding()).name == "ascii":
        needed["PYTHONUTF8"] = "1"
    if sys.flags.optimize > 1:
        needed["PYTHONOPTIMIZE"] = "1"
    if needed.items() <= os.environ.items():  # a flag of Python's own, such as -OO, is stronger
        return
    os.environ.update(needed)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _put_caches(folder: str) -> None:
    """Numba, and librosa with it, cannot even be imported without such a folder where there is no home to write to."""
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in _CACHES:
        os.environ.setdefault(name, folder)


def _mend_streams() -> None:
    """Opens what was closed, and prints what the terminal cannot show as its number instead of failing."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "r" if name == "stdin" else "w", encoding="utf-8"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _reader_is_gone() -> bool:
    """Whether nobody reads our output any more; a pipe of another kind may break as well."""
    poll = select.poll()
    for descriptor in (1, 2):
        poll.register(descriptor, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _verdict(error: BaseException, *, resumes: bool) -> tuple[int, str]:
    """The exit code that an error means, and the line that explains it: none for a bug, and where nobody listens."""
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED, _INTERRUPTED + (" to go on where it stopped" if resumes else "")
    if isinstance(error, UserError):
        return EXIT_USER_ERROR, f"error: {error}"
    if isinstance(error, BrokenPipeError) and _reader_is_gone():
        return 0, ""  # the reader of our output, such as head, has seen enough
    if isinstance(error, PermissionError) or (isinstance(error, OSError) and error.errno in _DISK_REFUSES):
        where = f"{error.filename}: " if error.filename else ""
        return EXIT_USER_ERROR, f"error: {where}{error.strerror}: what is written before is kept"
    if isinstance(error, FileNotFoundError) and "temporary directory" in str(error):  # Python's, which names its tries
        return EXIT_USER_ERROR, "error: no place for temporary files: set TMPDIR to a folder that you may write to"
    if type(error).__name__ == "DataLossError":  # TensorFlow's, of a TFRecord file
        reason = str(error).strip().splitlines()[0]
        remedy = "prepare --verify names it, and prepare mends it"
        return EXIT_USER_ERROR, f"error: a shard of the records is damaged ({reason}): {remedy}"
    return EXIT_BUG, ""


def _interrupt(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt
