"""Sending webhooks: the vendor's headers, ten seconds, the ladder of repeats.

Anything but 200 within 10 s is repeated 7 times after 1, 4, 16, 64, 256, 1024 and 4096 minutes
(docs.tosspayments.com, webhooks). Pending events are in the journal and go on after a restart.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import aiohttp

from sandbox.books import Books, Json
from sandbox.errors import to_json

RETRY_MINUTES: Final = (1, 4, 16, 64, 256, 1024, 4096)
_TIMEOUT_S: Final = 10
_ABREAST_MAX: Final = 32
# How far a reordered event is held back, so that later ones overtake it.
_REORDER_HOLD_S: Final = 0.3


class Deliverer:
    """Delivers the events of the books to the one registered target."""

    def __init__(
        self,
        books: Books,
        loop: asyncio.AbstractEventLoop,
        *,
        retry_scale: float,
    ) -> None:
        """`retry_scale` shortens the ladder: 1 is the vendor's, 0.001 turns 1 min into 60 ms."""
        self._books = books
        self._loop = loop
        self._commit: Callable[[], None] = lambda: None
        self._retry_scale = retry_scale
        self._session: aiohttp.ClientSession | None = None
        self._abreast = asyncio.Semaphore(_ABREAST_MAX)
        self._tasks: set[asyncio.Task[None]] = set()

    def resume(self, commit: Callable[[], None]) -> None:
        """Schedule what an earlier run left pending; `commit` journals what was recorded."""
        self._commit = commit
        for event in list(self._books.events.values()):
            self._schedule(event, max(0.0, event["next_at"] - time.time()))

    def deliver(self, events: list[Json]) -> None:
        """Send new events, with the faults the profile wishes for them."""
        faults = self._books.faults
        wishes = faults.webhooks
        for event in events:
            body = event["body"]
            order_id = body.get("orderId") or body.get("data", {}).get("orderId") or event["id"]
            status = body.get("status") or body.get("data", {}).get("status")
            subject = f"{order_id} {body.get('eventType')} {status}"
            if faults.draw(subject, "webhook lost") < wishes.get("lost", 0.0):
                self._books.counts["webhooks lost"] += 1
                self._books.record_event_done(event["id"])
                self._commit()
                continue
            delay_s = wishes.get("delayed_s", 0.0)
            if faults.draw(subject, "webhook reordered") < wishes.get("reordered", 0.0):
                delay_s += _REORDER_HOLD_S
            self._schedule(event, delay_s)
            if faults.draw(subject, "webhook doubled") < wishes.get("doubled", 0.0):
                self._spawn(event, is_copy=True, delay_s=delay_s)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _schedule(self, event: Json, delay_s: float) -> None:
        self._spawn(event, is_copy=False, delay_s=delay_s)

    def _spawn(self, event: Json, *, is_copy: bool, delay_s: float) -> None:
        task = self._loop.create_task(self._deliver_one(event, is_copy, delay_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver_one(self, event: Json, is_copy: bool, delay_s: float) -> None:
        if delay_s > 0:
            await asyncio.sleep(delay_s)
        async with self._abreast:
            taken = await self._post(event)
        if is_copy:
            return
        if taken:
            self._books.counts["webhooks delivered"] += 1
            self._books.record_event_done(event["id"])
        else:
            self._climb(event)
        self._commit()

    def _climb(self, event: Json) -> None:
        """Not taken: wait for the next rung, or give up after the last."""
        tried = event["tried"] + 1
        if tried > len(RETRY_MINUTES):
            self._books.counts["webhooks given up"] += 1
            self._books.record_event_done(event["id"])
            return
        wait_s = RETRY_MINUTES[tried - 1] * 60 * self._retry_scale
        self._books.record_event_tried(event["id"], tried, time.time() + wait_s)
        self._schedule(event, wait_s)

    async def _post(self, event: Json) -> bool:
        target = self._books.webhook
        if target is None:
            return False
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S), auto_decompress=False
            )
        body, sent_at = to_json(event["body"]), datetime.now(UTC).isoformat()
        headers = {
            "content-type": "application/json;charset=UTF-8",
            "tosspayments-webhook-transmission-id": event["id"],
            "tosspayments-webhook-transmission-time": sent_at,
            "tosspayments-webhook-transmission-retried-count": str(event["tried"]),
            "x-tosspayments-trace-id": secrets.token_hex(16),
        }
        if "keys" in event:
            headers["tosspayments-webhook-signature"] = _signature(event["keys"], body, sent_at)
        try:
            async with self._session.post(
                target["url"], data=body, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False


def _signature(keys: Sequence[str], body: bytes, sent_at: str) -> str:
    """`v1:` and the HMAC-SHA256 of `body:time`, once for each key that is valid at the moment."""
    said = body + b":" + sent_at.encode()
    signed = (hmac.new(key.encode(), said, hashlib.sha256).digest() for key in keys)
    return ",".join(f"v1:{base64.b64encode(each).decode()}" for each in signed)
