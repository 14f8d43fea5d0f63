"""Two steps and a validation of every flag file for a published corpus, at full width, on stand-in audio.

    python rehearsals/dry_runs.py                                  # labels of the published form, about ten minutes
    python rehearsals/dry_runs.py --msd=… --jamendo=split0_validation_joined.tsv       # real ones

`--msd` is a folder with filtered_list_test.txt and 50tagList.txt, whose ids are dealt to three splits; which tags they
have is drawn. The commands are those that a user types: prepare, then train with each system's flag file and the
corpus' after it.
"""

import argparse
import pathlib
import random
import subprocess
import sys
import tempfile
import time

from rehearsal import encode, make_corpus

from tfmir.corpora.grouping import load_grouping
from tfmir.experiments import systems

TRACKS, DISTINCT = {"msd": 300, "jamendo": 800}, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--msd", default="", help="a folder with the published list of test ids and of tags")
    parser.add_argument("--jamendo", default="", help="a split file of MTG-Jamendo")
    parser.add_argument("--corpora", default="msd,jamendo")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        make_corpus(work / "jamendo", TRACKS["jamendo"], asked.jamendo)
        make_msd(work / "msd", asked.msd)
        for corpus in asked.corpora.split(","):
            here = work / corpus
            flags = [f"--corpus={corpus}", f"--audio_dir={here / 'audio'}", f"--annotations={here / 'split-0'}"]
            print(call(work, "prepare", *flags, f"--output=tfrecords/{corpus}")[-1], flush=True)
            for system in systems.ALL:
                start, name = time.monotonic(), f"{system}-{corpus}"
                given = [f"--flagfile=launch/{file}.flags" for file in (system, corpus)]
                said = call(work, "train", *given, "--steps_per_epoch=2", "--epochs=1")
                size = next(line for line in said if " parameters, " in line).partition(" parameters")[0]
                print(f"{name:36} {time.monotonic() - start:4.0f} s  {size} parameters; {said[-1]}", flush=True)


def make_msd(work: pathlib.Path, labels: str) -> None:
    """Published lists of ids and tags, or such as look alike; a tag vector and an mp3 for each id."""
    annotations, audio = work / "split-0", work / "audio"
    annotations.mkdir(parents=True)
    audio.mkdir()
    if labels:
        ids = (pathlib.Path(labels) / "filtered_list_test.txt").read_text().split()[: TRACKS["msd"]]
        tags = (pathlib.Path(labels) / "50tagList.txt").read_text()
    else:
        ids = [
            f"TRAAA{chr(65 + number // 26)}{chr(65 + number % 26)}128F{number:07X}" for number in range(TRACKS["msd"])
        ]
        tags = "\n".join(load_grouping("", default="msd")) + "\n"
    (annotations / "50tagList.txt").write_text(tags)
    for name, part in (("train", ids[:-100]), ("valid", ids[-100:-50]), ("test", ids[-50:])):
        (annotations / f"filtered_list_{name}.txt").write_text("\n".join(part) + "\n")
    draw = random.Random(0)
    vectors = [f"{track_id}\t{[int(draw.random() < 0.15) for _ in range(50)]}" for track_id in ids]
    (annotations / "msd_id_to_tag_vector.txt").write_text("\n".join(vectors) + "\n")
    encoded = [encode(seed) for seed in range(DISTINCT)]
    for number, track_id in enumerate(ids):
        (audio / f"{track_id}.mp3").write_bytes(encoded[number % DISTINCT])


def call(work: pathlib.Path, command: str, *flags: str) -> list[str]:
    """The lines that a command printed."""
    arguments = [sys.executable, "-m", f"tfmir.{command}", *flags]
    result = subprocess.run(arguments, cwd=work, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(arguments)}\n{result.stderr[-2000:]}")
    return result.stdout.splitlines()


if __name__ == "__main__":
    main()
