"""What stands in a folder of the demo's audio: which demo it is, so that one is never taken for another."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from tfmir import files
from tfmir.corpora.demo.demo import DemoTrack
from tfmir.errors import UserError

MARK = ".demo.json"  # hidden: no file of tags beside a track, and nothing to listen to


def claim(audio_dir: str, tracks: Sequence[DemoTrack], *, zipf: bool, seed: int) -> list[DemoTrack]:
    """Marks a folder as that of one demo, whatever its size and whichever tags are told of it.

    Args:
      audio_dir: folder of the audio, which may not be there yet.
      tracks: what is to be in it.
      zipf: whether the tags are in Zipf's proportions.
      seed: of the corpus.

    Returns:
      The tracks that are still to be rendered.

    Raises:
      UserError: the folder holds another demo.
    """
    mark, asked = files.to_path(audio_dir) / MARK, {"zipf": zipf, "seed": seed}
    missing = [track for track in tracks if not os.path.exists(os.path.join(audio_dir, track.path))]
    if mark.exists():
        found = files.read_json(mark)
    elif len(missing) < len(tracks):
        found = {"zipf": False, "seed": seed}  # once there was one kind only, and no mark
    else:
        found = asked
        files.write_json(mark, asked)
    if found != asked:
        raise UserError(
            f"--audio_dir={audio_dir} holds {_named(found)}, asked for {_named(asked)}: "
            "name another --audio_dir, or remove that folder"
        )
    return missing


def _named(demo: Mapping[str, object]) -> str:
    tags = "tags in Zipf's proportions (--annotated)" if demo.get("zipf") else "its own tags"
    return f"the demo with {tags} and --demo_seed={demo.get('seed')}"
