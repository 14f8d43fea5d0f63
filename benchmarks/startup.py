"""Seconds from each command to its first line: its help, a mistyped flag, a wrong path, and its work.

    python benchmarks/startup.py                                     # and a search of a made-up index of 2 000 tracks
    python benchmarks/startup.py --run=runs/proxy                    # and the commands that need a trained run

Medians of five, of processor time until the first character is printed (the process and what it has waited for), and
of the clock in brackets; each beside an interpreter that imports NumPy alone, which is the reference.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

import frame
import index as index_benchmark
from tfmir.errors import UserError

COMMANDS = (
    "prepare", "train", "tune", "evaluate", "compare", "train_and_evaluate", "export", "embed", "index", "search",
    "page", "doctor",
)  # fmt: skip
REPETITIONS, TRACKS = 5, 2000
NUMPY = "python -c 'import numpy'"
LIKE = "artist 0005/song 0000005.flac"
Words = Sequence[str]


def main() -> None:
    parser = frame.parser(__doc__)
    parser.add_argument("--run", default="", help="a trained run whose records are where they were")
    asked = parser.parse_args()
    report({f"{name} --help": ["-m", f"tfmir.{name}", "--help"] for name in COMMANDS})
    report({f"{name} --mistyped": ["-m", f"tfmir.{name}", "--mistyped=3"] for name in COMMANDS}, fails=True)
    report(
        {f"{name} of no run": ["-m", f"tfmir.{name}", "--run=nowhere"] for name in ("evaluate", "export")}, fails=True
    )
    with tempfile.TemporaryDirectory() as folder:
        index_benchmark.build(f"{folder}/index", TRACKS)
        words = [f"--index={folder}/index", f"--like={LIKE}", "--weights=mood=1"]
        report(
            {
                f"search of an index of {TRACKS} tracks": ["-m", "tfmir.search", *words],
                "page of it": ["-m", "tfmir.page", words[0], "--port=0"],
            }
        )
        if asked.run:
            report(of_run(asked.run, folder))


def of_run(run: str, folder: str) -> dict[str, Words]:
    """What is done with a run, as far as its first line."""
    return {
        "evaluate": ["-m", "tfmir.evaluate", f"--run={run}", "--nobaselines", "--nofigures"],
        "export": ["-m", "tfmir.export", f"--run={run}", f"--output={folder}/models"],
        "search of the test split": ["-m", "tfmir.search", f"--run={run}", "--library=test", "--like=test/00002.flac"],
        "doctor": ["-m", "tfmir.doctor"],
    }


def report(jobs: Mapping[str, Words], *, fails: bool = False) -> None:
    """Prints a line a job; the jobs take turns."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in (NUMPY, *jobs)}
    for _ in range(REPETITIONS):
        times[NUMPY].append(to_first_line(["-c", "import numpy; print(1)"], fails=False))
        for name, words in jobs.items():
            times[name].append(to_first_line(words, fails=fails))
    (reference, _) = (statistics.median(column) for column in zip(*times[NUMPY], strict=True))
    for name, values in times.items():
        busy, clock = (statistics.median(column) for column in zip(*values, strict=True))
        print(
            f"{name:40} {busy:6.2f} s of CPU, {busy / reference:4.1f} of NumPy's ({clock:.2f} s by the clock)",
            flush=True,
        )


def to_first_line(words: Words, *, fails: bool) -> tuple[float, float]:
    """Seconds of processor time and of the clock until a process prints something; it is ended there."""
    start = time.perf_counter()
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen([sys.executable, *words], env=environment, **pipes) as process:  # type: ignore[call-overload]
        said = process.stdout.read(1)
        clock, busy = time.perf_counter() - start, _cpu_seconds(process.pid)
        said += process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    if not fails and said.startswith((b"error", b"Traceback")):
        raise UserError(f"{' '.join(words)}: {said.decode().strip()}")
    return busy, clock


def _cpu_seconds(pid: int) -> float:
    """Of a process and of its children that have ended, by Linux; NaN elsewhere."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    frame.run(main)
