"""A search as the page asks for it: the words of an address to what the index is asked."""

from __future__ import annotations

import base64
import binascii
import dataclasses

import numpy as np
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException

from tfmir.errors import UserError
from tfmir.searching.ranking import Hit, parse_weights
from tfmir.serving.page.catalogue import Catalogue

DEFAULT_TOP, MOST_TOP = 20, 500


@dataclasses.dataclass(frozen=True)
class Question:
    """What the index is asked.

    Attributes:
      embedding: float32 [dim], of the song that is asked about.
      row: of that song; None if it is not in the index.
      weights: notion -> weight; empty: the whole space.
      tags: all of them must be carried.
      artist: the only one; empty: any.
      diverse: one track of every artist.
      top: how many hits.
    """

    embedding: np.ndarray
    row: int | None
    weights: dict[str, float]
    tags: tuple[str, ...]
    artist: str
    diverse: bool
    top: int

    def ask(self, catalogue: Catalogue) -> list[Hit]:
        """The hits, best first, without the song itself, whatever other names its file has in the catalogue."""
        return catalogue.index.search(
            self.embedding,
            weights=self.weights,
            top=self.top,
            exclude=() if self.row is None else catalogue.same_song(self.row),
            tags=self.tags,
            artist=self.artist,
            diverse=self.diverse,
        )


def question(words: QueryParams, catalogue: Catalogue) -> Question:
    """The question in an address: `like` or `vector` with `space`, `weights`, `tag`, `artist`, `diverse`, `top`.

    Raises:
      HTTPException: 400 names what cannot be read; 404: no such track.
      UserError: of the weights.
    """
    index = catalogue.index
    row = None if "vector" in words else known_row(words.get("like", ""), catalogue)
    tags = tuple(words.getlist("tag"))
    known = {tag for group in catalogue.labels.counts.values() for tag in group}
    if unknown := next((tag for tag in tags if tag not in known), ""):
        raise HTTPException(400, f"tag={unknown[:50]}: this catalogue has no such tag")
    return Question(
        embedding=vector(words, catalogue) if row is None else index.embedding(row),
        row=row,
        weights=weights(words.get("weights", ""), catalogue),
        tags=tags,
        artist=words.get("artist", ""),
        diverse=words.get("diverse", "") not in ("", "0", "false"),
        top=number(words, "top", DEFAULT_TOP, MOST_TOP),
    )


def known_row(track_id: str, catalogue: Catalogue) -> int:
    """The row of a track id.

    Raises:
      HTTPException: 404, no such track.
    """
    row = catalogue.row_of(track_id)
    if row is None:
        raise HTTPException(404, "this catalogue has no such track: pick a song, or open the catalogue it is from")
    return row


def weights(text: str, catalogue: Catalogue) -> dict[str, float]:
    """`mood=1,genre=0.2` as the search command takes it; all at 0 is the whole space.

    Raises:
      UserError: not of that form, or no notion of the system.
    """
    return parse_weights(text, catalogue.vocabulary, disentangled=bool(catalogue.index.notions))


def number(words: QueryParams, name: str, default: int, most: int) -> int:
    """A whole number from 1 to `most`.

    Raises:
      HTTPException: 400.
    """
    text = words.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise HTTPException(400, f"{name}={text[:20]}: a whole number from 1 to {most} is expected")
    return int(text)


def vector(words: QueryParams, catalogue: Catalogue) -> np.ndarray:
    """float32 [dim]: the embedding of a song that was uploaded, which its address holds.

    Raises:
      HTTPException: 400, of another model, or no embedding.
    """
    if words.get("space", "") != space_name(catalogue):
        raise HTTPException(400, "this address holds a song as another model hears it: upload the song again")
    text = words["vector"]
    try:
        found = np.frombuffer(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True), "<f2")
    except (binascii.Error, ValueError) as error:
        raise HTTPException(400, "vector: no base64 of float16 numbers") from error
    dim = len(catalogue.index.embedding(0))
    if len(found) != dim or not np.isfinite(found).all() or not found.any():
        raise HTTPException(400, f"vector: {dim} finite numbers are expected, not all 0")
    return found.astype(np.float32)


def vector_text(embedding: np.ndarray) -> str:
    """An embedding, float32 [dim], as it stands in an address: 683 letters for 256 numbers."""
    return base64.urlsafe_b64encode(embedding.astype("<f2").tobytes()).decode().rstrip("=")


def space_name(catalogue: Catalogue) -> str:
    """What tells the model's space from that of others: the beginning of its weights' sha256."""
    return catalogue.index.weights_sha256[:12]


def check_weights(index_sha256: str, other_sha256: str, *, index: str, flag: str) -> None:
    """Refuses a model whose embeddings do not lie in the index' space.

    Raises:
      UserError: names the flags.
    """
    if index_sha256 != other_sha256:
        raise UserError(
            f"{flag} has other weights ({other_sha256[:12]}) than --index={index} was made with ({index_sha256[:12]}): "
            "name the run of the index, or embed and index the library anew"
        )
