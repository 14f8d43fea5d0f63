"""Embeddings for TensorBoard's projector: vectors, what is known of each, and the file that names both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfmir import files
from tfmir.catalogue.embeddings import Embeddings, vectors
from tfmir.corpora.corpus import stable_fraction
from tfmir.corpora.spelling import one_line

MOST = 10_000  # points that the projector shows in a browser
VECTORS, METADATA, CONFIG = "vectors.tsv", "metadata.tsv", "projector_config.pbtxt"
_CONFIG = f"""embeddings {{
  tensor_name: "songs"
  tensor_path: "{VECTORS}"
  metadata_path: "{METADATA}"
}}
"""


def write_projector(embeddings: Embeddings, folder: str, *, most: int = MOST) -> int:
    """Writes the three files; returns how many songs are in them.

    Of a larger set, the songs whose ids have the smallest hash: the same ones each time. A song's tags stand in a
    column for each notion, and beside it the tag that the run scores highest there.

    Args:
      embeddings: with the columns track_id, artist, tags, scores, embedding.
      folder: where they go.
      most: songs at most.
    """
    ids = embeddings.table.column("track_id").to_pylist()
    chosen = sorted(range(len(ids)), key=lambda row: stable_fraction(ids[row]))[:most]
    table = embeddings.table.take(sorted(chosen))
    lines = ["\t".join(f"{value:.6g}" for value in row) for row in vectors(table).astype(np.float32)]
    files.write_text(files.to_path(folder) / VECTORS, "\n".join(lines) + "\n")
    cells = _metadata(table.to_pylist(), embeddings.card)
    shown = ["\t".join(one_line(cell) for cell in row) for row in cells]
    files.write_text(files.to_path(folder) / METADATA, "\n".join(shown) + "\n")
    files.write_text(files.to_path(folder) / CONFIG, _CONFIG)
    return len(table)


def _metadata(rows: Sequence[dict[str, Any]], card: dict[str, Any]) -> list[list[str]]:
    """A head, and for each row its id, its artist, and of each notion its tags and the tag of the highest score."""
    notions, names = list(card["notions"]), list(card["tags"])
    head = ["track", "artist", *(column for notion in notions for column in (notion, f"{notion}, predicted"))]
    places = {notion: [i for i, name in enumerate(names) if name.startswith(f"{notion}/")] for notion in notions}
    cells = [head]
    for row in rows:
        line = [row["track_id"], row["artist"]]
        for notion in notions:
            known = [tag.split("/", 1)[1] for tag in row["tags"] if tag.startswith(f"{notion}/")]
            best = max(places[notion], key=lambda place: row["scores"][place])
            line += [";".join(known), names[best].split("/", 1)[1]]
        cells.append(line)
    return cells
