"""What a page of ours may load and where its forms may lead: as little as its gateway needs."""

from urllib.parse import urlsplit

from flask import Response

from opsapp.gateways.values import Window
from opsapp.settings import current

_BASE = "default-src 'self'; img-src 'self' data:; style-src 'self'; object-src 'none'; "
_END = "base-uri 'none'; frame-ancestors 'none'; "
# Where a vendor's script shows its frames, asks its questions and sends its forms.
_VENDORS = {
    "toss": "https://*.tosspayments.com",
    "portone": "https://*.portone.io https://*.iamport.co",
    "stripe": "https://js.stripe.com https://hooks.stripe.com https://api.stripe.com",
}


def with_forms_to_windows(response: Response) -> Response:
    """A form's redirect counts as its action, and it may lead to a page in the script's place."""
    settings = current()
    pages = {_origin(url) for url in (settings.toss_window_url, settings.portone_window_url) if url}
    targets = " ".join(["'self'", *sorted(pages)])
    response.headers["Content-Security-Policy"] = f"{_BASE}{_END}form-action {targets}"
    return response


def with_script_of(window: Window, response: Response) -> Response:
    """For the one page that runs the script of this vendor, and of no other."""
    vendor, script = _VENDORS[window.vendor], _origin(window.script_url or "")
    response.headers["Content-Security-Policy"] = (
        f"{_BASE}{_END}script-src 'self' {script}; frame-src {vendor}; "
        f"connect-src 'self' {vendor}; form-action 'self' {vendor}"
    )
    # The window may be a second one, and a wallet may be asked for by the payment API.
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin-allow-popups"
    response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    return response


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
