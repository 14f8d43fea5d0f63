"""How a process ends: exit codes, what is printed, and that nothing is lost."""

import dataclasses
import os
import signal
import subprocess
import sys

import pytest

from tfmir import command, remote
from tfmir.errors import UserError
from tfmir.fields import field


@dataclasses.dataclass(frozen=True)
class Params:
    count: int = field(1, "a number", lower=1)


class Left(BaseException):
    """Stands for the end of the process without the interpreter's own."""


def raises(error):
    def main(_):
        raise error

    return main


@pytest.fixture
def end(monkeypatch):
    """Runs a command in this process: its exit code."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(main, *words, **options):
        monkeypatch.setattr("sys.argv", ["x", *words])
        monkeypatch.setattr(remote, "_stores_used", False)
        try:
            command.run(main, Params, **options)
        except SystemExit as left:
            return left.code or 0
        return 0

    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UserError("a.mp3: mend it"), 2, "error: a.mp3: mend it\n"),
        (PermissionError(13, "Permission denied", "x"), 2, "error: x: Permission denied: what is written before is"),
        (OSError(28, "No space left on device", "x"), 2, "error: x: No space left on device"),
        (OSError(30, "Read-only file system", "x"), 2, "error: x: Read-only file system"),
        (NotADirectoryError(20, "Not a directory", "x"), 2, "error: x: Not a directory"),
        (OSError(28, "No space left on device"), 2, "error: No space left on device: what is written before is kept"),
        (
            FileNotFoundError(2, "No usable temporary directory found in ['/tmp', '/var/tmp']"),
            2,
            "error: no place for temporary files: set TMPDIR to a folder that you may write to",
        ),
        (FileNotFoundError(2, "No such file", "x"), 1, "Traceback"),
        (ValueError("surprise"), 1, "Traceback"),
        (KeyboardInterrupt(), 130, "interrupted: give the same command again"),
    ],
)
def test_errors_to_exit_codes(end, capsys, error, code, message):
    """A disk that refuses and a mistake are one line; a bug keeps its traceback."""
    assert end(raises(error)) == code
    printed = capsys.readouterr()
    assert printed.err.startswith(message)
    assert printed.err.count("\n") == 1 or code == 1
    assert not printed.out


def test_the_flags_reach_the_function_and_a_bad_one_does_not(end, capsys):
    seen = []
    assert end(seen.append, "--count=3") == 0
    assert end(seen.append, "--count=0") == 2
    assert seen == [Params(3)]
    assert capsys.readouterr().err == "error: --count=0 is too small: it must be at least 1\n"


def test_only_a_command_that_goes_on_promises_it(end, capsys):
    interrupted = raises(KeyboardInterrupt())
    assert (end(interrupted), end(interrupted, resumes=True)) == (130, 130)
    again, on = capsys.readouterr().err.splitlines()
    assert again == "interrupted: give the same command again"
    assert on == f"{again} to go on where it stopped"


def test_a_polite_kill_is_an_interruption(end):
    def main(_):
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()

    assert end(main) == 130


def test_a_reader_that_has_seen_enough_is_no_error():
    """As in `tfmir.search … | head -1`: 2 MB into a pipe that nobody reads any more."""
    code = """
import dataclasses
from tfmir import command
P = dataclasses.make_dataclass("P", [])
command.run(lambda _: print("a line\\n" * 300_000), P)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"a line\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("code", [0, 2])
def test_where_a_store_was_used_the_process_ends_at_once_but_what_was_printed_is_kept(monkeypatch, code):
    """tensorflow-io's S3 aborts at the interpreter's end; `os._exit` skips it, and would skip the flushing too."""
    done = []

    def leave_at_once(found):
        done.append(found)
        raise Left

    monkeypatch.setattr("os._exit", leave_at_once)
    monkeypatch.setattr("sys.stdout.flush", lambda: done.append("out"), raising=False)
    monkeypatch.setattr("sys.stderr.flush", lambda: done.append("err"), raising=False)
    monkeypatch.setattr(remote, "_stores_used", True)
    with pytest.raises(Left):
        command.leave(code)
    assert done == ["out", "err", code]


def test_without_a_store_zero_goes_on_and_another_code_leaves(monkeypatch):
    monkeypatch.setattr(remote, "_stores_used", False)
    command.leave(0)
    with pytest.raises(SystemExit) as left:
        command.leave(7)
    assert left.value.code == 7


def test_a_pipe_that_breaks_elsewhere_is_no_reader_that_has_seen_enough(end, capsys, monkeypatch):
    monkeypatch.setattr(command, "_reader_is_gone", lambda: False)
    assert end(raises(BrokenPipeError(32, "Broken pipe"))) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["prepare", "train", "evaluate", "export", "search", "embed"])
def test_commands_refuse_a_bogus_flag_in_one_line(name):
    result = subprocess.run([sys.executable, "-m", f"tfmir.{name}", "--bogus_flag"], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: Unknown command line flag 'bogus_flag'")
    assert not result.stdout
