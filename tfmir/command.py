"""The frame around every command: the environment of TensorFlow, errors to exit codes, and how a process ends.

A command is a dataclass of parameters and a function of it:

    if __name__ == "__main__":
        command.run(main, PrepareParams)
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from tfmir import remote
from tfmir.errors import UserError
from tfmir.flags import parse

EXIT_BUG = 1
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130
_DISK_REFUSES = (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.ENOTDIR)


def run(main: Callable[[Any], object], params_class: type) -> None:
    """Parses the command line into `params_class`, calls `main` with it, and turns errors into exit codes.

    Exit codes: 0 done; 1 a bug, with its traceback; 2 a mistake that the message explains; 130 interrupted (the work
    can be resumed).
    """
    set_environment()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        main(parse(sys.argv, params_class))
        leave(0)
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        leave(EXIT_USER_ERROR)
    except OSError as error:
        if not isinstance(error, PermissionError) and error.errno not in _DISK_REFUSES:
            traceback.print_exc()
            leave(EXIT_BUG)
        print(f"error: {error.filename or ''}: {error.strerror}: what is written before is kept", file=sys.stderr)
        leave(EXIT_USER_ERROR)
    except KeyboardInterrupt:
        print("interrupted: give the same command again to go on where it stopped", file=sys.stderr)
        leave(EXIT_INTERRUPTED)
    except Exception:
        traceback.print_exc()
        leave(EXIT_BUG)


def set_environment() -> None:
    """Settings that TensorFlow reads when it is imported, where the user has not chosen.

    oneDNN doubles training speed on CPUs without AVX-512, where it is off by default.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def leave(code: int) -> None:
    """Ends the process with an exit code, after everything that was printed.

    Where a remote store was used, without the interpreter's own end: tensorflow-io's S3 aborts there.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if remote.was_used():
        os._exit(code)
    if code:
        sys.exit(code)


def _interrupt(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt
