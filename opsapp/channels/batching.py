"""Neighbours leave together: messages handed over one by one within a moment share a call."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from opsapp.channels.base import Message, Receipt

LINGER_S = 0.02  # after the first message, wait this long for its neighbours


class Batcher:
    """Belongs to one event loop. Whoever hands a message over waits for its own receipt."""

    def __init__(
        self, send_batch: Callable[[Sequence[Message]], Awaitable[list[Receipt]]], *, size: int
    ) -> None:
        self._send_batch = send_batch
        self._size = size
        self._waiting: list[tuple[Message, asyncio.Future[Receipt]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def send(self, message: Message) -> Receipt:
        loop = asyncio.get_running_loop()
        receipt: asyncio.Future[Receipt] = loop.create_future()
        self._waiting.append((message, receipt))
        if len(self._waiting) >= self._size:
            self._leave()
        elif self._timer is None:
            self._timer = loop.call_later(LINGER_S, self._leave)
        return await receipt

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._waiting = self._waiting, []
        task = asyncio.ensure_future(self._sent(batch))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _sent(self, batch: Sequence[tuple[Message, asyncio.Future[Receipt]]]) -> None:
        try:
            receipts = await self._send_batch([message for message, _ in batch])
        except BaseException:  # nobody may wait for ever; what happened is told once, by the task
            for _, waiting in batch:
                waiting.cancel()
            raise
        for (_, waiting), receipt in zip(batch, receipts, strict=True):
            if not waiting.done():  # cancelled: nobody asks any more
                waiting.set_result(receipt)
