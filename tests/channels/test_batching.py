"""Messages handed over one by one leave together, and nobody waits for ever."""

import asyncio
from collections.abc import Sequence

import pytest

from opsapp.channels.base import Message, Outcome, Receipt
from opsapp.channels.batching import Batcher


def messages(count: int) -> list[Message]:
    return [Message(f"note_{n}", "x", "ko", "", "", "") for n in range(count)]


def test_neighbours_share_a_call_and_each_gets_its_own_receipt() -> None:
    batches: list[int] = []

    async def send_batch(batch: Sequence[Message]) -> list[Receipt]:
        batches.append(len(batch))
        return [Receipt(Outcome.ACCEPTED, provider_ref=each.ref) for each in batch]

    async def sent() -> list[Receipt]:
        batcher = Batcher(send_batch, size=4)
        first = await asyncio.gather(*map(batcher.send, messages(10)))
        return [*first, await batcher.send(messages(1)[0])]

    receipts = asyncio.run(sent())
    assert [receipt.provider_ref for receipt in receipts] == [
        *(f"note_{n}" for n in range(10)),
        "note_0",
    ]
    assert batches == [4, 4, 2, 1]


def test_a_call_that_breaks_leaves_nobody_waiting() -> None:
    async def send_batch(_: Sequence[Message]) -> list[Receipt]:
        raise RuntimeError("broken")

    async def sent() -> None:
        batcher = Batcher(send_batch, size=4)
        async with asyncio.timeout(5):
            await asyncio.gather(*map(batcher.send, messages(2)))

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(sent())
