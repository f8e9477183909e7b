"""An address of a shop: takes webhooks, keeps them, and behaves as badly as it is told to."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.loopback import serving


@dataclass(frozen=True, slots=True)
class Taken:
    headers: dict[str, str]
    body: bytes

    @property
    def ref(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event

    @property
    def type(self) -> str:
        return str(self.event["type"])


@dataclass(slots=True)
class Shop:
    origin: str = ""
    answer: Callable[[Taken], web.StreamResponse] = lambda _taken: web.Response(status=204)
    hangs: str = ""  # the path that never answers
    is_over: bool = False
    heard: list[Taken] = field(default_factory=list)  # all, whatever was answered
    abreast_by_path: Counter[str] = field(default_factory=Counter)  # the most at a time
    _now: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return f"{self.origin}/hooks"

    @property
    def types(self) -> list[str]:
        return [taken.type for taken in self.heard]

    def refuse(self, status: int = 500) -> None:
        self.answer = lambda _taken: web.Response(status=status, text="not today")

    def agree(self) -> None:
        self.answer = lambda _taken: web.Response(status=204)

    async def take(self, request: web.Request) -> web.StreamResponse:
        taken = Taken({k.lower(): v for k, v in request.headers.items()}, await request.read())
        self.heard.append(taken)
        path = request.path
        self._now[path] += 1
        self.abreast_by_path[path] = max(self.abreast_by_path[path], self._now[path])
        try:
            if path == self.hangs:
                while not self.is_over:  # noqa: ASYNC110 - set by another thread
                    await asyncio.sleep(0.05)
            return self.answer(taken)
        finally:
            self._now[path] -= 1


@contextmanager
def shop() -> Iterator[Shop]:
    receiver = Shop()
    application = web.Application(client_max_size=1 << 22)
    application.router.add_route("*", "/{path:.*}", receiver.take)
    with serving(application) as origin:
        receiver.origin = origin
        try:
            yield receiver
        finally:
            receiver.is_over = True
