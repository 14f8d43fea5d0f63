"""The REST side of TensorFlow Serving's API, with the standard library alone."""

from __future__ import annotations

import base64
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import numpy as np

from tfmir.serving.transport import Arrays, Inputs, Metadata, Model, ServerError

# HTTP's statuses as gRPC's codes. 502 is what a proxy says while the server behind it starts.
_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "TOO_LARGE",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Rest:
    """The JSON side. Byte strings go as base64; a request is by column."""

    def __init__(self, url: str, *, through_proxy: bool):
        self.url = url
        handlers = [] if through_proxy else [urllib.request.ProxyHandler({})]  # else what the environment says
        self.opener = urllib.request.build_opener(*handlers)

    def predict(self, model: Model, signature: str, inputs: Inputs, timeout_s: float) -> Arrays:
        """See `Transport`; a signature's only output comes under its name, which JSON leaves out, as `""`."""
        columns = {
            name: value.tolist() if isinstance(value, np.ndarray) else [{"b64": _base64(item)} for item in value]
            for name, value in inputs.items()
        }
        body = json.dumps({"signature_name": signature, "inputs": columns})
        outputs = self._ask(f"{_path(model)}:predict", body.encode(), timeout_s)["outputs"]
        named = outputs if isinstance(outputs, dict) else {"": outputs}
        return {name: np.array(value, _json_type(value)) for name, value in named.items()}

    def metadata(self, model: Model, timeout_s: float) -> Metadata:
        """See `Transport`."""
        found = self._ask(f"{_path(model)}/metadata", None, timeout_s)
        signatures = found["metadata"]["signature_def"].get("signature_def", {})
        inputs = {name: frozenset(signature.get("inputs", ())) for name, signature in signatures.items()}
        return Metadata(int(found["model_spec"]["version"]), inputs)

    def versions(self, name: str, timeout_s: float) -> list[int]:
        """See `Transport`."""
        found = self._ask(_path(Model(name)), None, timeout_s)["model_version_status"]
        return sorted(int(status["version"]) for status in found if status["state"] == "AVAILABLE")

    def close(self) -> None:
        """Nothing is kept open."""

    def _ask(self, path: str, body: bytes | None, timeout_s: float) -> Any:
        asked = urllib.request.Request(f"{self.url}{path}", body, {"Content-Type": "application/json"})
        try:
            with self.opener.open(asked, timeout=timeout_s) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise ServerError(_CODES.get(error.code, "UNKNOWN"), _said(error)) from error
        except TimeoutError as error:
            raise ServerError("DEADLINE_EXCEEDED", f"no answer within {timeout_s:.3g} s") from error
        except (OSError, http.client.HTTPException) as error:  # refused, reset, no such host
            reason = getattr(error, "reason", error)
            code = "DEADLINE_EXCEEDED" if isinstance(reason, TimeoutError) else "UNAVAILABLE"
            raise ServerError(code, f"{reason or type(error).__name__}") from error
        except ValueError as error:
            raise ServerError("UNKNOWN", "answers, but not in JSON: it is no TensorFlow Serving") from error


def _path(model: Model) -> str:
    which = f"/versions/{model.version}" if model.version is not None else ""
    which = f"/labels/{urllib.parse.quote(model.label, safe='')}" if model.label else which
    return f"/v1/models/{urllib.parse.quote(model.name, safe='')}{which}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _json_type(value: Any) -> Any:
    """The dtype that JSON's numbers stand for; an empty list tells nothing, and becomes float32."""
    while isinstance(value, list) and value:
        value = value[0]
    return {bool: np.bool_, int: np.int32, str: object}.get(type(value), np.float32)


def _said(error: urllib.error.HTTPError) -> str:
    """The server's own words, or the status, if it is no TensorFlow Serving that answers."""
    text = error.read().decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code} {error.reason}: {' '.join(text.split())[:200]}"
