"""What every request passes: no other site's requests, and no page of another site in ours.

A page of any site can make a browser send requests to 127.0.0.1. What it must not do is read the catalogue (it would
need a name of its own that leads here, "DNS rebinding": the Host header tells), send an upload (the Origin header
tells), or show and embed what we serve (the headers of the answers say so).
"""

from __future__ import annotations

import ipaddress
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/@]+)(:[0-9]{1,5})?")


class Guard:
    """ASGI middleware.

    Args:
      app: what is guarded.
      loopback: whether the server is bound to this machine only; then only its own names are answered to.
    """

    def __init__(self, app: ASGIApp, *, loopback: bool):
        self.app = app
        self.loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on or refuses it; every answer gets the headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        await (refusal or self.app)(scope, receive, send_with_headers)

    def _refusal(self, method: str, headers: Headers) -> JSONResponse | None:
        host = headers.get("host", "")
        if self.loopback and not is_loopback(host_name(host)):
            reason = "this page answers to 127.0.0.1 and localhost only: start it with --host for other names"
            return JSONResponse({"error": reason}, 421)
        if method in ("GET", "HEAD"):
            return None
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
        is_ours = origin is None or origin.partition("://")[2].lower() == host.lower()
        if not is_ours or site not in ("same-origin", "none"):
            return JSONResponse({"error": "a page of another site may not send anything here"}, 403)
        return None


def host_name(header: str) -> str:
    """The name in a Host header, without its port and the brackets of IPv6; empty if it is none.

    >>> host_name("[::1]:8000"), host_name("localhost"), host_name("a b:c:d")
    ('::1', 'localhost', '')
    """
    found = _HOST.fullmatch(header)
    return found[1].strip("[]").lower() if found else ""


def is_loopback(name: str) -> bool:
    """Whether a name or address is this machine's own and nobody else's.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("evil.example")
    (True, True, False, False)
    """
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
