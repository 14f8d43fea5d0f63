"""Where a server is: `http://host:8501` (REST) or `grpc://host:8500`; `https` and `grpcs` where it speaks TLS."""

from __future__ import annotations

import ipaddress
import urllib.parse

from tfmir.errors import UserError
from tfmir.serving.rest import Rest
from tfmir.serving.transport import Transport

_GRPC_PORT = 8500


def connect(endpoint: str) -> Transport:
    """The transport of an endpoint; nothing is sent yet.

    A path before `/v1` is kept, so that a server may stand behind one. To this machine no proxy leads; elsewhere it is
    as the environment says (`http_proxy`, `no_proxy`).

    Raises:
      UserError: no such scheme, or no host.
    """
    try:
        url = urllib.parse.urlsplit(endpoint)
        port = url.port or _GRPC_PORT
    except ValueError as error:
        raise UserError(f"{endpoint}: {error}: expected http://host:8501 or grpc://host:8500") from error
    if url.scheme not in ("http", "https", "grpc", "grpcs") or not url.hostname:
        raise UserError(f"{endpoint} is no endpoint: expected http://host:8501 (REST) or grpc://host:8500")
    if url.scheme in ("http", "https"):
        return Rest(endpoint.rstrip("/"), through_proxy=not is_loopback(url.hostname))
    from tfmir.serving.rpc import Grpc  # grpcio takes a fifth of a second, and REST does without

    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return Grpc(f"{host}:{port}", secure=url.scheme == "grpcs", through_proxy=not is_loopback(url.hostname))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, to which no proxy leads.

    >>> is_loopback("localhost"), is_loopback("127.0.0.2"), is_loopback("::1"), is_loopback("serving.example")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
