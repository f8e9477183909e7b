"""What the windows share: who may open one, and where it leads back to."""

from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from sandbox.errors import Answer, ControlRefused
from sandbox.hosts import is_here
from sandbox.server import Request

_CLIENT_KEYS: Final = {"test_ck_": "test_sk_", "test_gck_": "test_gsk_"}


def secret_key(client_key: str) -> str:
    """The secret key of the same merchant: its prefix says which, the rest is the same."""
    for prefix, secret in _CLIENT_KEYS.items():
        if client_key.startswith(prefix) and len(client_key) > len(prefix):
            return secret + client_key.removeprefix(prefix)
    raise ControlRefused("INVALID_CLIENT_KEY: clientKey must begin with test_ck_ or test_gck_.")


def address(given: dict[str, str], name: str, hosts: frozenset[str]) -> str:
    """Where the buyer is sent back to: never anywhere but to a host that was named."""
    text = given.get(name, "")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ControlRefused(f"{name} is not an address.") from None
    is_plain = text.isascii() and text.isprintable() and not set(text) & set(" \\\"'<>;,")
    if parts.scheme not in ("http", "https") or parts.username is not None or not is_plain:
        raise ControlRefused(f"{name} must be a plain http or https address.")
    if not is_here(host, hosts):
        raise ControlRefused(f"{name} must be on loopback, or on a host given by --window-host.")
    return text


def check_origin(request: Request, hosts: frozenset[str]) -> None:
    """Only this page may post here, and only under a name that is this machine's own."""
    host = request.headers.get(b"host", b"").decode("latin-1")
    if not is_here(urlsplit(f"//{host}").hostname or "", hosts):
        raise ControlRefused("Open the window under 127.0.0.1 or localhost.", 403)
    origin = request.headers.get(b"origin")
    if origin is not None and origin.decode("latin-1").partition("://")[2] != host:
        raise ControlRefused("The window takes decisions from its own page only.", 403)


def form(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def language(request: Request, given: dict[str, str]) -> str:
    """?lang, or else Accept-Language; Korean is the first language here."""
    wished = given.get("lang") or request.headers.get(b"accept-language", b"").decode("latin-1")
    return "en" if wished.strip().lower().startswith("en") else "ko"


def page(status: int, html: tuple[str, str], addresses: tuple[str, ...]) -> Answer:
    """`html`: the text, and the hash of its one style. A form's redirect counts as its action."""
    text, style_hash = html
    origins = sorted({f"{each.scheme}://{each.netloc}" for each in map(urlsplit, addresses)})
    policy = (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action {' '.join((chr(39) + 'self' + chr(39), *origins))}"
    )
    headers = (
        "content-type: text/html;charset=UTF-8\r\n"
        f"content-security-policy: {policy}\r\n"
        "x-content-type-options: nosniff\r\n"
        # Not no-referrer: a browser would then send Origin: null with the form.
        "referrer-policy: same-origin\r\n"
        "cache-control: no-store\r\n"
    )
    return Answer(status, text.encode(), headers.encode())


def go(address: str, query: dict[str, str]) -> Answer:
    joint = "&" if urlsplit(address).query else "?"
    plain, hash_sign, fragment = address.partition("#")
    target = f"{plain}{joint}{urlencode(query)}{hash_sign}{fragment}"
    headers = f"location: {target}\r\ncache-control: no-store\r\n"
    return Answer(HTTPStatus.SEE_OTHER, b"", headers.encode())
