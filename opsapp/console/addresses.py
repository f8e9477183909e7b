"""Addresses as templates ask for them, many to a page: what they share is built once."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import current_app, g, request, url_for

PLACE = 987_654_321_012_345_678  # stands for a row's number while an address is built
WORD_LENGTH_MAX = 12  # what is longer may name somebody or something, and is not kept


def address(endpoint: str, **values: Any) -> str:
    """url_for, by a pattern for all numbers of rows."""
    name, number = next((item for item in values.items() if type(item[1]) is int), ("", ""))
    words = tuple(item for item in values.items() if item[0] != name)
    if not all(type(word) is str and len(word) <= WORD_LENGTH_MAX for _name, word in words):
        return url_for(endpoint, **values)
    if endpoint.startswith("."):
        endpoint = f"{request.blueprint}{endpoint}"
    before, after = _pattern(root(), endpoint, name, words)
    return f"{before}{number}{after}"


def link(**changes: Any) -> str:
    """This list with some of its query string changed; None drops a name."""
    if "links" not in g:
        g.links = {}
    links: dict[Any, str] = g.links  # rows ask for the same ones again
    asked = tuple(changes.items())
    if asked not in links:
        links[asked] = _changed(changes)
    return links[asked]


def root() -> str:
    return str(request.environ.get("SCRIPT_NAME", ""))


def asset(name: str) -> str:
    file = f"{current_app.static_folder}/{name}"
    return f"{_folder(root(), 'static')}{name}?v={_fingerprint(file)}"


def bootstrap_file(name: str) -> str:
    file = f"{current_app.blueprints['bootstrap'].static_folder}/{name}"
    return f"{_folder(root(), 'bootstrap.static')}{name}?v={_fingerprint(file)}"


def _changed(changes: dict[str, Any]) -> str:
    kept: dict[str, Any] = request.args.to_dict()
    kept.pop("cursor", None)
    wanted = {name: value for name, value in (kept | changes).items() if value not in (None, "")}
    # Names of the query string are a stranger's: url_for would take `_scheme` as an option of its.
    query = f"?{urlencode(wanted)}" if wanted else ""
    if query and "HX-Request" not in request.headers:
        return query  # of the address that the page has
    return f"{address(str(request.endpoint), **(request.view_args or {}))}{query}"


@lru_cache(maxsize=1024)
def _pattern(
    _root: str, endpoint: str, name: str, words: tuple[tuple[str, str], ...]
) -> tuple[str, str]:
    values: dict[str, Any] = {**({name: PLACE} if name else {}), **dict(words)}
    before, _place, after = url_for(endpoint, **values).partition(str(PLACE))
    return before, after


@lru_cache(maxsize=8)
def _folder(_root: str, endpoint: str) -> str:
    return url_for(endpoint, filename="-").removesuffix("-")


@lru_cache(maxsize=64)
def _fingerprint(file: str) -> str:
    """A changed file has another address; `opsapp doctor` names what is missing."""
    path = Path(file)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10] if path.exists() else "missing"
