"""Training on two machines as it will happen: workers killed at random moments, started again, and compared.

    python rehearsals/cluster.py --kills=10 --seed=0

Two workers on this machine train one system. Ten times either of them gets a signal at a random moment: two times of
ten while both start, else after an epoch or more; then both are started again with the same command. What the run ends
with is compared with that of one process that has as many replicas and is never disturbed.
"""

import argparse
import csv
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

SETTINGS = [
    "--encoder=statistics",
    "--width_multiplier=0.0625",
    "--embedding_dim=16",
    "--batch_size=8",
    "--excerpts_per_read=2",
    "--shuffle_buffer=8",
    "--seed=5",
]
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
PEER_TIMEOUT_SECS, HANG_SECS = 40, 90.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=10.0, help="seconds that pass at most before a signal")
    parser.add_argument("--system", default="triplet_track", help="a flag file of launch/")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--records", default="", help="a record set (default: a small demo is made)")
    given = parser.parse_args()
    # A job in the background of a script ignores SIGINT, and so would the workers.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        records = given.records or make_demo(work)
        flags = [f"--flagfile=launch/{given.system}.flags", *SETTINGS, "--steps_per_epoch=12", f"--records={records}"]
        flags += [f"--epochs={given.epochs}", f"--peer_timeout={PEER_TIMEOUT_SECS}"]
        rehearse(work, flags, given.kills, random.Random(given.seed), given.longest)


def make_demo(work: pathlib.Path) -> str:
    output = str(work / "demo")
    words = [sys.executable, "-m", "tfmir.prepare", "--corpus=demo", "--demo_scale=0.03", f"--output={output}"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return output


def rehearse(work: pathlib.Path, flags: list[str], kills: int, draw: random.Random, longest: float) -> None:
    """Kills and starts again, then compares."""
    run, one = work / "two_workers", work / "one_process"
    for number in range(1, kills + 1):
        victim, kind, moment = draw.randrange(2), draw.choice(SIGNALS), draw.uniform(0.0, longest)
        before, starting = newest_epoch(run), draw.random() < 0.2
        workers = start_both([*flags, f"--run={run}"], work)
        while not starting and newest_epoch(run) == before and workers[0].poll() is None:
            time.sleep(0.05)
        time.sleep(moment)
        epoch = newest_epoch(run)
        begin = time.monotonic()
        workers[victim].send_signal(kind)
        codes = [ended(worker, begin) for worker in workers]
        line = (work / f"worker{1 - victim}.log").read_text().strip().splitlines()[-1:] or ["nothing"]
        since = "the start" if starting else "an epoch"
        print(
            f"{number:2}. {kind.name} for worker {victim}, {moment:.1f} s after {since}, {epoch} epochs done; exit "
            f"codes {codes}, both ended after {time.monotonic() - begin:.1f} s; worker {1 - victim} said: {line[0]}",
            flush=True,
        )
    workers = start_both([*flags, f"--run={run}"], work)
    print(f"started once more, not disturbed: exit codes {[worker.wait() for worker in workers]}", flush=True)
    words = [sys.executable, "-m", "tfmir.train", *flags, f"--run={one}", "--replicas=2"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    compare(run, one)


def start_both(flags: list[str], work: pathlib.Path) -> list[subprocess.Popen[bytes]]:
    sockets = [socket.socket() for _ in range(2)]
    for free in sockets:
        free.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{free.getsockname()[1]}" for free in sockets]
    for free in sockets:
        free.close()
    workers = []
    for index in range(2):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        with (work / f"worker{index}.log").open("w") as log:
            words = [sys.executable, "-m", "tfmir.train", *flags]
            environment = os.environ | {"TF_CONFIG": json.dumps(config)}
            workers.append(subprocess.Popen(words, stdout=log, stderr=log, env=environment))
    return workers


def newest_epoch(run: pathlib.Path) -> int:
    return max((int(path.parent.name[-6:]) for path in run.glob("backup/epoch-*/state.json")), default=0)


def ended(worker: subprocess.Popen[bytes], begin: float) -> int | str:
    """The exit code, or that it hangs: it is killed then."""
    try:
        return worker.wait(max(0.0, begin + HANG_SECS - time.monotonic()))
    except subprocess.TimeoutExpired:
        worker.kill()
        return f"none, hung for {HANG_SECS:.0f} s"


def compare(run: pathlib.Path, one: pathlib.Path) -> None:
    """Prints how far the two runs' ends are apart."""
    rows = [list(csv.DictReader((path / "history.csv").open())) for path in (run, one)]
    losses = [abs(float(a["val_loss"]) - float(b["val_loss"])) for a, b in zip(*rows, strict=True)]
    print(f"epochs: {len(rows[0])} and {len(rows[1])}; validation losses differ by {max(losses):.2g} at most")
    newest = f"backup/epoch-{len(rows[0]):06d}/state.weights.h5"
    for name in ("best.weights.h5", newest):
        print(f"{name}: {difference(run / name, one / name):.2g} is the largest difference of a weight")


def difference(ours: pathlib.Path, theirs: pathlib.Path) -> float:
    found = [0.0]
    with h5py.File(ours) as a, h5py.File(theirs) as b:

        def visit(name: str, item: h5py.HLObject) -> None:
            if isinstance(item, h5py.Dataset) and item.size:
                found.append(float(np.abs(item[()] - b[name][()]).max()))

        a.visititems(visit)
    return max(found)


if __name__ == "__main__":
    main()
