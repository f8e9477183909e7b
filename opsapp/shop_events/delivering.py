"""Delivering: each sending takes its turn at its address, the oldest of an object first.

An address that is slow or down holds up nothing but itself: only so many sendings to it are under
way, and fewer while it takes nothing.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, zip_longest
from typing import Any

import structlog

from opsapp.channels import shop_webhooks
from opsapp.channels.shop_webhooks import CALL_TIMEOUT_S, Answer, Letter, ShopWebhooks
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import unseal
from opsapp.kernel.db import bulk_update, owns_transactions, transaction, within_transaction
from opsapp.kernel.states import RowMove
from opsapp.kernel.turns import Steps, take_turns
from opsapp.programs import installing
from opsapp.settings import current
from opsapp.shop_events import disabling, queries, rules
from opsapp.shop_events.models import ShopDelivery, ShopEndpoint
from opsapp.shop_events.releasing import release
from opsapp.shop_events.states import DELIVERY, DeliveryStatus, EndpointStatus

log = structlog.get_logger(__name__)

BUDGET_S = 10.0  # of one job: what is due elsewhere meanwhile waits no longer
ABREAST_MAX = 128
BUSY_FOR = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Claim:
    delivery: Any  # the row, as it was locked
    letter: Letter

    @property
    def delivery_id(self) -> int:
        return int(self.delivery.id)


@owns_transactions
def deliver_events(delivery_ids: Sequence[int], *, by: Actor) -> None:
    """Give each sending one turn, and those a later one that their address has no place for."""
    with transaction():
        ids, abreast = _admit(delivery_ids)
    if not ids:
        return
    client = client_of_settings()
    take_turns(
        ids,
        Steps(
            claim=partial(_claim, by=by),
            call=partial(_call, client),
            record=partial(_record, by=by),
            connected=client.connected,
        ),
        abreast=abreast,
        budget_s=min(BUDGET_S, current().chunk_budget_s),
    )
    with transaction():
        _hint_again(ids)


def client_of_settings() -> ShopWebhooks:
    settings = current()
    return ShopWebhooks(
        ports=[int(port) for port in settings.webhooks_ports.split(",")],
        trusted_origins=[
            origin.strip() for origin in settings.webhooks_trusted_origins.split(",") if origin
        ],
    )


@within_transaction
def _admit(delivery_ids: Sequence[int]) -> tuple[list[int], int]:
    """In turn of their addresses, and how many at a time; probes only where nothing is taken."""
    by_endpoint: dict[int, list[Any]] = defaultdict(list)
    for row in queries.list_sendable(delivery_ids):
        by_endpoint[row.endpoint_id].append(row)
    later: list[int] = []
    admitted: list[list[int]] = []
    for rows in by_endpoint.values():
        ids = [row.id for row in rows]
        room = len(ids) if rows[0].failing_since is None else rules.PROBES
        admitted.append(ids[:room])
        later += ids[room:]
    _put_off(later, rules.PROBES_APART)
    in_turn = [i for i in chain.from_iterable(zip_longest(*admitted)) if i is not None]
    abreast = sum(min(rules.ABREAST, len(ids)) for ids in admitted)
    return in_turn, min(abreast, ABREAST_MAX)


@within_transaction
def _claim(delivery_ids: Sequence[int], *, by: Actor) -> list[Claim]:
    rows = queries.lock_sendable(delivery_ids)
    endpoint_ids = {row.endpoint_id for row in rows}
    places = {
        endpoint_id: rules.ABREAST - count
        for endpoint_id, count in queries.count_under_way(endpoint_ids).items()
    }
    going: list[Any] = []
    crowded: list[Any] = []
    for row in rows:
        places.setdefault(row.endpoint_id, rules.ABREAST)
        (going if places[row.endpoint_id] > 0 else crowded).append(row)
        places[row.endpoint_id] -= 1
    _put_off([row.id for row in crowded], BUSY_FOR)
    moved = DELIVERY.move_many(ShopDelivery, [_claiming(row) for row in going], by=by)
    secrets = _secrets(endpoint_ids)
    return [Claim(row, _letter(row, secrets)) for row in going if row.id in moved]


def _put_off(delivery_ids: Sequence[int], wait: timedelta) -> None:
    due_at = clock.now() + wait
    rows = [{"id": id_, "due_at": due_at, "hinted_at": None} for id_ in delivery_ids]
    bulk_update(ShopDelivery, rows)


def _hint_again(delivery_ids: Sequence[int]) -> None:
    """What the budget left over need not wait until its hint is stale."""
    left = [row.id for row in queries.list_sendable(delivery_ids)]
    bulk_update(ShopDelivery, [{"id": id_, "hinted_at": None} for id_ in left])


def _claiming(row: Any) -> RowMove:
    return RowMove(
        row.id,
        row.status,
        DeliveryStatus.SENDING,
        "claimed, to be sent",
        fence=row.fence,
        also={
            "fence": row.fence + 1,
            "turns": row.turns + 1,
            "leased_until": row.now + timedelta(seconds=CALL_TIMEOUT_S + current().lease_margin_s),
        },
    )


def _secrets(endpoint_ids: set[int]) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = defaultdict(list)
    for row in queries.list_secrets(endpoint_ids, clock.now()):
        written = unseal(row.secret_sealed, context=secret_context(row.endpoint_id))
        found[row.endpoint_id].append(rules.read_secret(written))
    return found


def secret_context(endpoint_id: int) -> str:
    return f"shop_secrets.secret|{endpoint_id}"


def _letter(row: Any, secrets: dict[int, list[bytes]]) -> Letter:
    fields = {
        "type": row.type,
        "timestamp": row.occurred_at.isoformat(),
        "livemode": installing.is_live(),
        "data": row.data,
    }
    return Letter(row.url, row.ref, shop_webhooks.as_body(fields), secrets[row.endpoint_id])


async def _call(client: ShopWebhooks, claim: Claim) -> Answer:
    return await client.send(claim.letter)


@within_transaction
def _record(results: Sequence[tuple[Claim, Answer]], *, by: Actor) -> None:
    now = clock.now()
    endpoints = queries.lock_endpoints({claim.delivery.endpoint_id for claim, _ in results})
    moves = [
        _recording(claim, answer, now, endpoints[claim.delivery.endpoint_id])
        for claim, answer in results
    ]
    moved = DELIVERY.move_many(ShopDelivery, moves, by=by)
    if len(moved) < len(moves):
        log.warning("shop_events.late_answers_discarded", count=len(moves) - len(moved))
    counted = [(claim, answer) for claim, answer in results if claim.delivery_id in moved]
    _judge(endpoints, counted, now, by=by)
    keys = {claim.delivery.object_key for claim, _ in counted}
    release(list(endpoints), keys, by=by)


def _recording(claim: Claim, answer: Answer, now: datetime, endpoint: ShopEndpoint) -> RowMove:
    tries = claim.delivery.turns + 1
    wait = rules.wait_after(tries)
    taken = rules.is_taken(answer.status)
    status, because = DeliveryStatus.DELIVERED, "the address took it"
    due_at: datetime = now
    ended_at: datetime | None = now
    if not taken and wait is not None and endpoint.status == EndpointStatus.ENABLED:
        status, because = DeliveryStatus.PENDING, _because(answer)
        due_at, ended_at = now + wait, None
    elif not taken:
        status, because = DeliveryStatus.GIVEN_UP, _because(answer)
    return RowMove(
        claim.delivery_id,
        DeliveryStatus.SENDING,
        status,
        because,
        fence=claim.delivery.fence + 1,
        also={
            "leased_until": None,
            "hinted_at": None,
            "due_at": due_at,
            "answer_status": answer.status,
            "answer": rules.kept_answer(answer.text) if answer.status is not None else None,
            "error": None if taken else because,
            "took_ms": answer.took_ms,
            "ended_at": ended_at,
        },
    )


def _because(answer: Answer) -> str:
    return answer.text if answer.status is None else f"HTTP {answer.status}"


def _judge(
    endpoints: dict[int, ShopEndpoint],
    counted: Sequence[tuple[Claim, Answer]],
    now: datetime,
    *,
    by: Actor,
) -> None:
    """What the answers say about the addresses themselves."""
    for endpoint_id, endpoint in endpoints.items():
        answers = [answer for c, answer in counted if c.delivery.endpoint_id == endpoint_id]
        if not answers or endpoint.status != EndpointStatus.ENABLED:
            continue
        if any(rules.wants_no_more(answer.status) for answer in answers):
            disabling.disable_alarming(endpoint, because="it answered that it wants no more", by=by)
        elif any(rules.is_taken(answer.status) for answer in answers):
            endpoint.failing_since = None
        elif endpoint.failing_since is None:
            endpoint.failing_since = now
        elif now - endpoint.failing_since >= rules.DISABLED_AFTER:
            disabling.disable_alarming(endpoint, because="it took nothing for three days", by=by)
