"""One version of a served model, pinned at its first answer; what goes wrong is told as a user can mend it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import TypeVar

from tfmir.errors import UserError
from tfmir.serving.endpoint import connect
from tfmir.serving.transport import Arrays, Inputs, Metadata, Model, ServerError, Transport, retrying

T = TypeVar("T")
_PATIENCE_SECS = 5.0
_OLD = "it was exported by an older tfmir, or by something else: export the run anew (python -m tfmir.export)"
_MEANINGS = {
    "UNAVAILABLE": "nobody answers there: start the server, or correct the endpoint",
    "RESOURCE_EXHAUSTED": "the server is full: try later, or give it more threads",
    "DEADLINE_EXCEEDED": "no answer in time: give it longer, or a smaller song",
    "TOO_LARGE": "the request is larger than the server, or what stands before it, takes: raise its limit",
    "UNAUTHENTICATED": "it wants to know who asks, which tfmir does not say: ask it from inside its network",
    "PERMISSION_DENIED": "it refuses who asks: ask it from inside its network",
    "INVALID_ARGUMENT": "it refuses the request",
}


class PinnedModel:
    """A model behind an endpoint. Threads may share one.

    Args:
      endpoint: see `endpoint.connect`.
      asked: its name, and a version, a label or neither.
      needed: signatures without which it is of no use.
      timeout_s: for one call, all its tries together.

    Raises:
      UserError: the endpoint is none.
    """

    def __init__(self, endpoint: str, asked: Model, *, needed: Collection[str], timeout_s: float):
        self.endpoint, self.asked, self.needed, self.timeout_s = endpoint, asked, needed, timeout_s
        self._transport: Transport = connect(endpoint)
        self._pinned: Model | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Ends the connections."""
        self._transport.close()

    def pinned(self) -> Model:
        """The version that has answered first.

        Raises:
          UserError: nobody answers, no such model or version, or one without the needed signatures.
        """
        with self._lock:
            if self._pinned is None:
                found = self._told(self._metadata, self.asked)
                missing = [name for name in self.needed if name not in found.inputs]
                if missing:
                    raise UserError(
                        f"{self.endpoint}: version {found.version} of {self.asked.name!r} has no signature "
                        f"{missing[0]!r}: {_OLD}"
                    )
                self._pinned = Model(self.asked.name, found.version)
            return self._pinned

    def predict(self, signature: str, inputs: Inputs) -> Arrays:
        """Output name -> array; a signature's only output is the only value.

        Raises:
          UserError: as `pinned`, or the server refuses the request.
        """

        def once(left: float) -> Arrays:
            return self._transport.predict(self.pinned(), signature, inputs, left)

        return self._told(lambda _: retrying(once, timeout_s=self.timeout_s), self.pinned())

    def _metadata(self, model: Model) -> Metadata:
        """Asked for first, so with less patience: nobody may ever answer at a wrong address."""

        def once(left: float) -> Metadata:
            return self._transport.metadata(model, left)

        return retrying(once, timeout_s=self.timeout_s, patience_s=_PATIENCE_SECS)

    def _told(self, call: Callable[[Model], T], model: Model) -> T:
        """The call's result, or what its failure means to a user."""
        try:
            return call(model)
        except ServerError as error:
            meaning = _MEANINGS.get(error.code, f"it fails ({error.code})")
            if error.code == "NOT_FOUND":
                meaning = self._not_found(model)
            raise UserError(f"{self.endpoint}: {meaning} ({error})") from error

    def _not_found(self, model: Model) -> str:
        """Another name, or another version: the server tells which there are, of a model that it knows."""
        try:
            versions = self._transport.versions(model.name, self.timeout_s)
        except ServerError:
            return f"no model {model.name!r} there: give the name that it has in the server's models.config"
        there = ", ".join(map(str, versions)) or "none"
        return f"no version {model.version} of {model.name!r} there (any more): it serves {there}"
