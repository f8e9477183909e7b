"""Presenting: the customer is shown the gateway's own window, comes back, gives up, or never does.

Who comes back is not believed: the amount is compared with the stored order, and what really
happened is asked of the gateway. Who never does is swept up when the window's life is over.
"""

import re
from functools import partial

from opsapp.customers.queries import get_customer_keys
from opsapp.gateways.registry import gateway_named
from opsapp.gateways.values import ChargeBody, Flow, WebhookMessage, Window, WindowRequest
from opsapp.kernel import clock, log
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import seal
from opsapp.kernel.db import owns_transactions, transaction, within_transaction
from opsapp.kernel.money import Money
from opsapp.kernel.turns import ask_in_person
from opsapp.payments import queries, receiving, recording, requesting, rules
from opsapp.payments.errors import AmountDiffers, BeingAsked, NoWindow, WindowAway, WindowOpen
from opsapp.payments.models import Attempt, Payment
from opsapp.payments.states import ATTEMPT, AttemptStatus
from opsapp.routing.errors import NoRoute

# What a browser brings goes into a request of ours: a gateway may take nonsense for a wrong setup.
GATEWAY_KEY = re.compile(r"[A-Za-z0-9_=.-]{1,200}")
RETURNED = "CUSTOMER_RETURNED"  # an event of our own beside those of the vendors


@owns_transactions
def open_window(payment_id: int, *, success_url: str, fail_url: str, locale: str) -> Window:
    """How the customer gets to the gateway's page. Raises NoWindow, WindowAway.

    Asked again for the same attempt it leads to the same payment at the gateway.
    """
    with transaction():
        waiting = queries.find_window(payment_id)
        if waiting is None:
            raise NoWindow
        customer = get_customer_keys([waiting.customer_id])[waiting.customer_id]
    gateway = gateway_named(waiting.gateway_name)
    request = WindowRequest(
        method_kind=waiting.method_kind,
        gateway_order_id=waiting.gateway_order_id,
        title=waiting.title,
        amount=Money(waiting.amount_minor, waiting.currency),
        customer_key=customer.customer_key,
        customer_name=customer.name,
        customer_email=customer.email,
        idempotency_key=waiting.idempotency_key,
        success_url=success_url,
        fail_url=fail_url,
        locale=locale,
    )
    question = partial(gateway.open_window, request)
    try:
        answer = ask_in_person(gateway.name, question, connected=gateway.connected)
    except TimeoutError:
        raise WindowAway(gateway=gateway.name, reason="no answer in time") from None
    if answer.window is None:
        raise WindowAway(gateway=gateway.name, reason=answer.code or answer.outcome)
    if answer.gateway_key is not None:
        with transaction():
            _name(waiting.gateway_order_id, answer.gateway_key)
    return answer.window


@owns_transactions
def come_back(
    gateway_order_id: str, *, gateway_key: str | None, amount: Money | None, by: Actor
) -> None:
    """The customer says that they agreed. A second return of the same window changes nothing.

    `amount`: as the address told it, where the gateway puts it there. Raises NoWindow for a
    window that is over, BeingAsked while one is looked at, and AmountDiffers.
    """
    with transaction():
        attempt = queries.lock_window(gateway_order_id)
        if attempt is None:
            raise NoWindow
        expected = queries.get_payment_of(attempt.id).amount
        is_over = attempt.status in (AttemptStatus.WITHDRAWN, AttemptStatus.DECLINED)
        if is_tampered := amount is not None and amount != expected:
            _note_tampering(attempt, by=by)
        elif is_over:
            _look_into(attempt)
        else:
            _take_back(attempt, gateway_key, expected, by=by)
    if is_tampered:
        raise AmountDiffers(returned=amount, expected=expected)
    if is_over:
        raise NoWindow


@within_transaction
def choose_again(payment_id: int, *, method_kind: str, bank: str | None = None, by: Actor) -> None:
    """Another way to pay, after a failure or in place of a window that was left.

    Raises WindowOpen where money may still move in the window that is open, NotRetryable for a
    payment that is under way or over, and NoRoute.
    """
    payment = queries.lock_payment(payment_id)
    waiting = queries.find_window(payment_id)
    if waiting is None:
        _try_again(payment, method_kind, bank, by=by)
        return
    capabilities = gateway_named(waiting.gateway_name).capabilities
    if capabilities.confirms_on_return:
        requesting.replace_window(payment, method_kind=method_kind, bank=bank, by=by)
    elif method_kind in capabilities.window_methods:
        # One number at the gateway is paid once, however often its window is opened.
        payment.method_kind = method_kind
        queries.lock_attempt(waiting.id).method_kind = method_kind
    else:
        raise WindowOpen


@within_transaction
def give_up(gateway_order_id: str, *, by: Actor) -> None:
    """The customer came back by the address of a failure: the gateway is asked at once.

    Anybody can call that address, so nothing ends by it alone.
    """
    attempt = queries.lock_window(gateway_order_id)
    if attempt is not None and attempt.status == AttemptStatus.AT_WINDOW:
        recording.look_again([attempt.id])


@within_transaction
def _try_again(payment: Payment, method_kind: str, bank: str | None, *, by: Actor) -> None:
    """At a gateway that has not failed this payment by its own fault, if there is one."""
    failed = queries.list_gateways_met([payment.id], failed_as=rules.OUR_CLASSES)
    not_these = failed.get(payment.id, frozenset())
    wish = partial(
        requesting.request_another_attempt,
        payment.id,
        method_kind=method_kind,
        bank=bank,
        due_at=clock.now(),
        by=by,
        hurry=True,
    )
    try:
        wish(not_these=not_these)
    except NoRoute:
        if not not_these:
            raise
        wish()


@within_transaction
def _look_into(attempt: Attempt) -> None:
    """Where money moves in the window, who is late may have paid: looked into as a message is."""
    if gateway_named(attempt.gateway_name).capabilities.confirms_on_return:
        return
    hour = clock.now().strftime("%Y%m%d%H")  # the address can be called without end
    message = WebhookMessage(
        delivery_id=f"return.{attempt.gateway_order_id}.{hour}",
        event_type=RETURNED,
        gateway_order_id=attempt.gateway_order_id,
        gateway_key=attempt.gateway_key,
        said_status=None,
        is_signed=False,
    )
    receiving.receive(attempt.gateway_name, message, b"{}")


@within_transaction
def _take_back(attempt: Attempt, gateway_key: str | None, expected: Money, *, by: Actor) -> None:
    if attempt.status != AttemptStatus.AT_WINDOW:
        _require_same(attempt, gateway_key)
        return
    if not gateway_named(attempt.gateway_name).capabilities.confirms_on_return:
        recording.look_again([attempt.id])
        return
    if not GATEWAY_KEY.fullmatch(gateway_key or ""):
        raise NoWindow
    attempt.gateway_key = gateway_key
    attempt.request_sealed = seal(
        _confirmation(attempt, expected).decode(),
        context=requesting.request_context(attempt.idempotency_key),
    )
    attempt.due_at = clock.now()
    because = "the customer came back, to be confirmed"
    ATTEMPT.move(attempt, AttemptStatus.READY, because=because, by=by)
    requesting.hasten([attempt])


def _confirmation(attempt: Attempt, amount: Money) -> bytes:
    body = ChargeBody(
        flow=Flow.WINDOW,
        method_kind=attempt.method_kind,
        gateway_order_id=attempt.gateway_order_id,
        title="",
        amount=amount,
        customer_key="",
        customer_name="",
        gateway_key=attempt.gateway_key,
    )
    return gateway_named(attempt.gateway_name).charge_body(body)


@within_transaction
def _name(gateway_order_id: str, gateway_key: str) -> None:
    attempt = queries.lock_window(gateway_order_id)
    if attempt is not None and attempt.gateway_key is None:
        attempt.gateway_key = gateway_key


def _require_same(attempt: Attempt, gateway_key: str | None) -> None:
    """Back button and second tab are harmless. Raises NoWindow and BeingAsked."""
    if gateway_key is None or attempt.gateway_key == gateway_key:
        return
    # A worker has the open window in hand: a moment later it can be confirmed.
    is_looked_at = attempt.status == AttemptStatus.INFLIGHT and attempt.first_sent_at is None
    raise BeingAsked if is_looked_at else NoWindow


def _note_tampering(attempt: Attempt, *, by: Actor) -> None:
    """Once: the address can be called without end, and the log forgets nothing."""
    if queries.is_noted("attempt.amount_tampered", attempt.id):
        return
    because = "the window came back with another amount; nothing was confirmed"
    entry = log.Entry(
        "attempt.amount_tampered", "attempt", attempt.id, because=because, succeeded=False
    )
    log.record(entry, by=by)
