"""From what the server received to what a WSGI application is given: one environment, built once, nothing believed."""

import io
import ipaddress
import sys
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from project.serving.refusals import HeadTooLargeError, UnreadableRequestError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Scope = dict[str, Any]

# two of these have no common meaning: one reader would take the first, another the last
SINGLE = frozenset({"HTTP_HOST", "HTTP_AUTHORIZATION", "CONTENT_TYPE", "CONTENT_LENGTH"})
FORWARDED = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_REAL_IP",
)
LARGEST_HEAD = 32 * 1024
NAMES: dict[bytes, str] = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}


class Environs:
    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        self._trusted: list[Network] = [ipaddress.ip_network(proxy, strict=False) for proxy in trusted_proxies]
        self._base: dict[str, Any] = {
            "SCRIPT_NAME": "",
            "SERVER_SOFTWARE": "Holdfast",
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }

    def build(self, scope: Scope) -> dict[str, Any]:
        """The environment of an ASGI scope, with an empty body."""
        environ = self._base.copy()
        raw_path: bytes = scope["raw_path"]
        path = unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path
        environ["REQUEST_METHOD"] = scope["method"]
        environ["PATH_INFO"] = path.decode("latin-1")
        environ["RAW_URI"] = raw_path.decode("latin-1")
        environ["QUERY_STRING"] = scope["query_string"].decode("latin-1")
        environ["SERVER_PROTOCOL"] = "HTTP/1.0" if scope["http_version"] in ("1", "1.0") else "HTTP/1.1"
        environ["SERVER_NAME"], port = scope["server"]
        environ["SERVER_PORT"] = str(port)
        environ["REMOTE_ADDR"] = scope["client"][0]
        environ["wsgi.url_scheme"] = scope["scheme"]
        environ["wsgi.input"] = io.BytesIO()
        _add_headers(environ, scope["headers"])
        self._settle_origin(environ)
        return environ

    def _settle_origin(self, environ: dict[str, Any]) -> None:
        """REMOTE_ADDR and the scheme are the caller's as far as trusted proxies vouch for them; nobody looks again."""
        if self._trusted and self._is_trusted(environ["REMOTE_ADDR"]):
            self._believe(environ)
        for name in FORWARDED:
            environ.pop(name, None)

    def _believe(self, environ: dict[str, Any]) -> None:
        hops = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
        for hop in reversed(hops):
            address = _address(hop)
            if address is None:
                break
            environ["REMOTE_ADDR"] = str(address)
            if not self._is_trusted(str(address)):
                break
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rsplit(",", 1)[-1].strip().lower()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme

    def _is_trusted(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in self._trusted)


def has_body(environ: dict[str, Any]) -> bool:
    return environ.get("CONTENT_LENGTH", "0") != "0" or "HTTP_TRANSFER_ENCODING" in environ


def _add_headers(environ: dict[str, Any], headers: list[tuple[bytes, bytes]]) -> None:
    size = 0
    for raw_name, raw_value in headers:
        size += len(raw_value) + len(raw_name)
        if size > LARGEST_HEAD:
            raise HeadTooLargeError(LARGEST_HEAD)
        name = NAMES.get(raw_name) or _learn(raw_name)
        value = raw_value.decode("latin-1")
        if not name:
            continue
        if name not in environ:
            environ[name] = value
        elif name in SINGLE:
            raise UnreadableRequestError(f"The header {raw_name.decode('latin-1')} may be given once only.")
        else:
            environ[name] += ("; " if name == "HTTP_COOKIE" else ",") + value


def _learn(raw_name: bytes) -> str:
    """The variable of a header; empty for one with an underscore, which would pass for its sibling with a hyphen."""
    name = raw_name.decode("latin-1")
    if "_" in name:
        return ""
    variable = "HTTP_" + name.upper().replace("-", "_")
    # bounded, since callers choose the names
    if len(NAMES) < 200:
        NAMES[raw_name] = variable
    return variable


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
