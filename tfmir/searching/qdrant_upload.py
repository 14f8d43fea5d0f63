"""Puts embeddings into a Qdrant server: `qdrant.py` says how they lie there, and searches them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tfmir.catalogue.embedded_set import EmbeddedSet, vectors
from tfmir.corpora.spelling import composed
from tfmir.errors import UserError
from tfmir.inference.subspaces import subspace_embeddings
from tfmir.searching.qdrant import CARD, PAYLOAD, alias_of, asking, card_of, connect
from tfmir.searching.searchable import SUBSPACES, WHOLE
from tfmir.vocabulary import Vocabulary

_INDEXED = ("track_id", "path", "composed", "artist", "tags")
_BATCH = 256


def upload(embedded: EmbeddedSet, address: str) -> None:
    """Puts a set of embeddings into a server; an interrupted upload goes on, a finished one is left as it is.

    Raises:
      UserError: the server does not answer, or has another index under that name.
    """
    client, name = connect(address)
    from qdrant_client import models

    with asking(address):
        current = alias_of(client, name)
        if current is None and client.collection_exists(name):
            raise UserError(f"{address}: the server has a collection of this name that is no index: name another")
        if current:
            _refuse_other(card_of(client, current, address), embedded, address)
        collection = f"{name}-{embedded.sha256[:12]}"
        if current == collection:
            print(f"{address}: has these embeddings already: nothing to do")
            return
        if client.collection_exists(collection) and not client.retrieve(collection, [CARD]):
            client.delete_collection(collection)  # its making was ended: the card is the last of it
        if not client.collection_exists(collection):
            _create(client, collection, embedded)
        _upload_rows(client, collection, embedded)
        changes = [models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=name))] if current else []
        named = models.CreateAlias(collection_name=collection, alias_name=name)
        client.update_collection_aliases([*changes, models.CreateAliasOperation(create_alias=named)])
        _delete_others(client, name, collection)


def _create(client: Any, collection: str, embedded: EmbeddedSet) -> None:
    from qdrant_client import models

    one = models.VectorParams(
        size=embedded.dim,
        distance=models.Distance.DOT,
        datatype=models.Datatype.FLOAT16,
        hnsw_config=models.HnswConfigDiff(m=0),
    )
    spaces = (WHOLE, SUBSPACES) if embedded.header["card"]["system"]["disentangled"] else (WHOLE,)
    client.create_collection(collection, vectors_config={space: one for space in spaces})
    kinds = {name: models.PayloadSchemaType.KEYWORD for name in _INDEXED}
    for name, kind in {**kinds, "size": models.PayloadSchemaType.INTEGER}.items():
        client.create_payload_index(collection, name, field_schema=kind)
    facts = {name: embedded.header[name] for name in ("card", "library", "weights_sha256", "tracks")}
    client.upsert(collection, [models.PointStruct(id=CARD, vector={}, payload=facts)])


def _upload_rows(client: Any, collection: str, embedded: EmbeddedSet) -> None:
    """Rows in their order: the number of a point is its row, so that what is put twice is there once."""
    from qdrant_client import models

    card = embedded.header["card"]
    vocabulary = Vocabulary.from_dict(card["notions"]) if card["system"]["disentangled"] else None
    there = client.count(collection, exact=True).count - 1  # the card
    row = 0
    for batch in embedded.batches(description="upload"):
        if row + len(batch) > there:
            spaces = {WHOLE: vectors(batch)}
            if vocabulary:
                spaces[SUBSPACES] = np.concatenate(
                    list(subspace_embeddings(spaces[WHOLE], vocabulary).values()), axis=1
                )
            rounded = {space: of.astype(np.float16).astype(np.float32).tolist() for space, of in spaces.items()}
            payloads = batch.select(list(PAYLOAD)).to_pylist()
            points = [
                models.PointStruct(
                    id=row + i,
                    vector={space: of[i] for space, of in rounded.items()},
                    payload={**payload, "composed": composed(payload["track_id"])},
                )
                for i, payload in enumerate(payloads)
            ]
            for first in range(0, len(points), _BATCH):
                if row + first + _BATCH > there:
                    client.upsert(collection, points[first : first + _BATCH], wait=True)
        row += len(batch)


def _refuse_other(card: dict[str, Any], embedded: EmbeddedSet, address: str) -> None:
    for name in ("weights_sha256", "library"):
        if card[name] != embedded.header[name]:
            raise UserError(
                f"--store={address} holds another index: its {name} is {card[name]}, that of the embeddings "
                f"{embedded.header[name]}: name another collection"
            )


def _delete_others(client: Any, name: str, collection: str) -> None:
    """Earlier sets of the same index, and what is left of uploads that were never ended."""
    for other in [of.name for of in client.get_collections().collections]:
        is_ours = re.fullmatch(re.escape(name) + "-[0-9a-f]{12}", other) and client.retrieve(other, [CARD])
        if is_ours and other != collection:
            client.delete_collection(other)
