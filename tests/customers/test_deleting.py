import asyncio

import pytest
from sqlalchemy import select, update

from opsapp.customers import claiming, deleting, issuing, payment_methods, queries, rules
from opsapp.customers.errors import (
    MethodInUse,
    MethodIsCharged,
    MethodNotBlockable,
    MethodNotUsable,
    MethodOfAnother,
)
from opsapp.customers.models import PaymentMethod
from opsapp.customers.payment_methods import NewMethod, add_methods
from opsapp.gateways import registry
from opsapp.gateways.values import Answer, BillingKeyDeletion, FailureClass, Outcome
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.kernel.states import IllegalMove
from opsapp.notifications import wording
from opsapp.notifications.models import Notice
from opsapp.payments import charging
from opsapp.payments.models import Payment
from opsapp.payments.requesting import PaymentOrder, request_payments
from opsapp.subscriptions.cancelling import cancel
from opsapp.tickets.models import Ticket
from tests.factories.payments import (
    attempt_ids,
    make_customer,
    make_everything_due,
    make_method,
    statuses,
)
from tests.factories.subscriptions import make_subscription, renew, subscription

WORKER = Actor("worker", "test")
STAFF = Actor("staff", "1")
GATEWAY = Actor("gateway", "toss")


def method(method_id: int) -> PaymentMethod:
    with transaction():
        found = db.session.get_one(PaymentMethod, method_id, populate_existing=True)
        db.session.expunge(found)
        return found


def do(verb, *ids, **how):
    with transaction():
        return verb(*ids, by=STAFF, **how)


def turn(*ids: int) -> None:
    with transaction():
        db.session.execute(update(PaymentMethod).values(leased_until=None, due_at=clock.now()))
    issuing.issue_billing_keys(ids, by=WORKER)


def keys_of(method_id: int):
    with transaction():
        return queries.get_charge_keys([method_id])[method_id]


def column(model: type, name: str) -> list:
    with transaction():
        return list(db.session.scalars(select(getattr(model, name)).order_by(model.id)))


def charge(customer_id: int, method_id: int) -> None:
    order = PaymentOrder(
        "order", method_id * 10, customer_id, method_id, "주문", Money(9900, "KRW")
    )
    with transaction():
        [payment_id] = request_payments([order], by=STAFF).values()
    charging.execute_attempts(attempt_ids([payment_id]), by=WORKER)


def test_a_method_is_deleted_at_the_gateway_first_and_then_wiped(app):
    method_id = make_method(make_customer())
    billing_key = keys_of(method_id).billing_key
    do(deleting.delete, method_id, because="고객 요청")
    waiting = method(method_id)
    assert (waiting.status, waiting.billing_key_sealed is None) == ("deleting", False)
    assert keys_of(method_id).billing_key is None, "nothing is charged to it from that moment on"
    turn(method_id)
    gone = method(method_id)
    assert (gone.status, gone.billing_key_sealed, gone.billing_key_index) == ("deleted", None, None)
    again = gateway_answers(billing_key)
    assert again.outcome in (Outcome.NOT_FOUND, Outcome.DECLINED, Outcome.APPROVED)
    assert rules.judge_deletion(again, turns=1).status == "deleted"
    do(deleting.delete, method_id)
    assert method(method_id).status == "deleted"


def gateway_answers(billing_key: str) -> Answer:
    """What the gateway says when the same key is to be deleted once more."""

    async def ask() -> Answer:
        async with registry.connected():
            gateway = registry.gateway_named("toss")
            return await gateway.delete_billing_key(BillingKeyDeletion(billing_key, new_ref("d")))

    return asyncio.run(ask())


def test_a_lost_answer_is_asked_for_again_until_it_is_certain(app, gateway):
    method_id = make_method(make_customer())
    do(deleting.delete, method_id)
    gateway.faults(lost_after=1.0)
    turn(method_id)
    assert (method(method_id).status, method(method_id).turns) == ("deleting", 1)
    assert method(method_id).billing_key_sealed is not None
    gateway.clear()
    turn(method_id)
    assert method(method_id).status == "deleted"


def test_a_deletion_that_is_never_answered_ends_with_a_person_who_can_ask_again(app, gateway):
    method_id = make_method(make_customer())
    do(deleting.delete, method_id)
    gateway.faults(errors_500=1.0)
    for _ in range(rules.TURNS_MAX):
        turn(method_id)
    assert method(method_id).status == "needs_human"
    assert column(Ticket, "reason") == ["deletion_stuck"]
    assert keys_of(method_id).billing_key is None
    with pytest.raises(MethodInUse):
        do(deleting.delete, method_id)
    gateway.clear()
    do(issuing.ask_again, method_id)
    turn(method_id)
    assert method(method_id).status == "deleted"


def test_a_worker_that_dies_on_a_deletion_again_and_again_does_not_do_so_for_ever(app):
    method_id = make_method(make_customer())
    do(deleting.delete, method_id)
    for _ in range(rules.TURNS_MAX):
        with transaction():
            assert len(claiming.claim([method_id], by=WORKER)) == 1
        with transaction():
            db.session.execute(update(PaymentMethod).values(leased_until=None))
    with transaction():
        assert claiming.claim([method_id], by=WORKER) == []
    assert column(Ticket, "reason") == ["deletion_stuck"]


def test_a_late_answer_about_a_deletion_is_discarded(app):
    method_id = make_method(make_customer())
    do(deleting.delete, method_id)
    with transaction():
        [frozen] = claiming.claim([method_id], by=WORKER)
        db.session.execute(update(PaymentMethod).values(leased_until=None))
    with transaction():
        claiming.claim([method_id], by=WORKER)
    with transaction():
        issuing._record([(frozen, Answer(Outcome.APPROVED))], by=WORKER)
    assert method(method_id).status == "deleting"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Answer(Outcome.APPROVED), "deleted"),
        (Answer(Outcome.NOT_FOUND), "deleted"),
        (Answer(Outcome.DECLINED, failure_class=FailureClass.EXPIRED), "deleted"),
        (Answer(Outcome.DECLINED, failure_class=FailureClass.AUTHENTICATION), "deleting"),
        (Answer(Outcome.CONFLICT), "deleting"),
        (Answer(Outcome.MISCONFIGURED, code="INVALID_API_KEY"), "deleting"),
        (Answer(Outcome.NOT_SENT), "deleting"),
        (Answer(Outcome.UNKNOWN), "deleting"),
    ],
)
def test_only_what_proves_that_the_key_is_gone_ends_a_deletion(answer, status):
    verdict = rules.judge_deletion(answer, turns=1)
    assert verdict.status == status
    assert (verdict.wait.total_seconds() > 0) is (status == "deleting")
    last = rules.judge_deletion(answer, turns=rules.TURNS_MAX)
    ends_with_a_person = status == "deleting" and answer.outcome is not Outcome.NOT_SENT
    assert (last.status == "needs_human") is ends_with_a_person


def test_what_has_no_key_at_the_gateway_is_deleted_at_once(app):
    customer_id = make_customer()
    account = make_method(customer_id, kind="virtual_account")
    with transaction():
        wish = NewMethod(customer_id, "card", auth_key=f"card.{new_ref('a')}")
        [unregistered] = add_methods([wish], by=STAFF)
    for method_id in (account, unregistered):
        do(deleting.delete, method_id)
        assert (method(method_id).status, method(method_id).auth_key_sealed) == ("deleted", None)


def test_a_method_that_is_being_registered_cannot_be_deleted(app):
    customer_id = make_customer()
    with transaction():
        wish = NewMethod(customer_id, "card", auth_key=f"card.{new_ref('a')}")
        [method_id] = add_methods([wish], by=STAFF)
    with transaction():
        claiming.claim([method_id], by=WORKER)
    with pytest.raises(MethodInUse):
        do(deleting.delete, method_id)


def test_a_method_that_a_subscription_is_charged_to_is_kept_until_it_is_replaced_or_ended(app):
    subscription_id = make_subscription()
    old = subscription(subscription_id).payment_method_id
    with pytest.raises(MethodIsCharged):
        do(deleting.delete, old)
    new = make_method(subscription(subscription_id).customer_id)
    do(payment_methods.replace, old, by_method_id=new)
    do(deleting.delete, old)
    assert method(old).status == "deleting"
    with pytest.raises(MethodIsCharged):
        do(deleting.delete, new)
    with transaction():
        cancel(subscription_id, by=STAFF)
    do(deleting.delete, new)


def test_a_replacement_takes_over_subscriptions_and_the_place_as_default(app):
    subscription_id = make_subscription()
    agreed = subscription(subscription_id)
    old = agreed.payment_method_id
    do(payment_methods.set_default, old)
    new = make_method(agreed.customer_id)
    do(payment_methods.replace, old, by_method_id=new, because="카드 재발급")
    assert subscription(subscription_id).payment_method_id == new
    assert (method(old).replaced_by_id, method(old).is_default) == (new, False)
    assert method(new).is_default


def test_only_a_usable_method_of_the_same_customer_replaces_another(app):
    customer_id = make_customer()
    old, other = make_method(customer_id), make_method(customer_id)
    foreign = make_method(make_customer())
    do(payment_methods.block, other, because="의심")
    for by_method_id, refusal in (
        (old, Invalid), (foreign, MethodOfAnother), (other, MethodNotUsable), (10**9, NotFound),
    ):  # fmt: skip
        with pytest.raises(refusal):
            do(payment_methods.replace, old, by_method_id=by_method_id)
    assert method(old).replaced_by_id is None


def test_a_blocked_method_is_never_charged_until_the_block_is_lifted(app, gateway):
    customer_id = make_customer()
    method_id = make_method(customer_id)
    do(payment_methods.set_default, method_id)
    do(payment_methods.block, method_id, because="부정 사용 신고")
    blocked = method(method_id)
    assert (blocked.status, blocked.is_default) == ("blocked", False)
    assert blocked.blocked_because == "부정 사용 신고"
    before = gateway.counts()
    charge(customer_id, method_id)
    assert gateway.counts() == before, "the gateway was not even asked"
    assert column(Payment, "failure_code") == ["METHOD_GONE"]
    do(payment_methods.unblock, method_id, because="본인 확인")
    assert (method(method_id).status, method(method_id).blocked_because) == ("active", None)
    assert keys_of(method_id).billing_key


def test_only_what_could_be_charged_is_blocked_and_only_a_block_is_lifted(app):
    method_id = make_method(make_customer())
    with pytest.raises(MethodNotBlockable):
        do(payment_methods.unblock, method_id, because="x")
    do(payment_methods.block, method_id, because="x")
    with pytest.raises(MethodNotBlockable):
        do(payment_methods.block, method_id, because="x")
    with pytest.raises(MethodNotUsable):
        do(payment_methods.set_default, method_id)
    with pytest.raises(IllegalMove):
        do(issuing.ask_again, method_id)


def test_what_may_be_out_already_is_only_inquired_while_its_method_is_blocked(app, gateway):
    customer_id = make_customer()
    method_id = make_method(customer_id)
    gateway.faults(lost_after=1.0)
    charge(customer_id, method_id)
    assert statuses() == ["unknown"]
    gateway.clear()
    do(payment_methods.block, method_id, because="x")
    make_everything_due()
    charging.execute_attempts(attempt_ids(column(Payment, "id")), by=WORKER)
    assert statuses() == ["succeeded"], "the money was taken: the block does not hide it"


@pytest.mark.parametrize("is_blocked", [False, True])
def test_a_key_deleted_at_the_gateway_is_wiped_here_and_its_customer_told(app, is_blocked):
    method_id = make_method(make_customer())
    billing_key = keys_of(method_id).billing_key
    if is_blocked:
        do(payment_methods.block, method_id, because="x")
    with transaction():
        assert deleting.note_deleted_at_gateway(billing_key, "toss", by=GATEWAY)
    gone = method(method_id)
    assert (gone.status, gone.billing_key_sealed, gone.is_default) == ("deleted", None, False)
    wanted = [] if is_blocked else ["payment_method_deleted"]
    assert column(Notice, "kind") == wanted, "who could not pay with it anyway has no news"
    with transaction():
        assert not deleting.note_deleted_at_gateway(billing_key, "toss", by=GATEWAY)


def test_the_gateways_word_about_our_own_deletion_ends_it_without_a_notice(app):
    method_id = make_method(make_customer())
    billing_key = keys_of(method_id).billing_key
    do(deleting.delete, method_id)
    with transaction():
        [held] = claiming.claim([method_id], by=WORKER)
        assert deleting.note_deleted_at_gateway(billing_key, "toss", by=GATEWAY)
    with transaction():
        issuing._record([(held, Answer(Outcome.APPROVED))], by=WORKER)
    assert method(method_id).status == "deleted"
    assert column(Notice, "kind") == []


def test_a_key_of_another_gateway_or_of_nobody_is_no_news(app):
    method_id = make_method(make_customer())
    billing_key = keys_of(method_id).billing_key
    with transaction():
        assert not deleting.note_deleted_at_gateway(billing_key, "stripe", by=GATEWAY)
        assert not deleting.note_deleted_at_gateway("no such key", "toss", by=GATEWAY)
    assert method(method_id).status == "active"


def test_the_notice_about_a_lost_method_can_be_written_in_both_languages(app):
    for locale in ("ko", "en"):
        message = wording.compose(
            ref="n", kind="payment_method_deleted", medium="email",
            reader=wording.Reader("a@example.com", "김", locale),
            values={"at": clock.now().isoformat()},
        )  # fmt: skip
        assert message.subject
        assert "{{" not in message.text


def test_a_period_that_falls_due_on_a_blocked_method_waits_and_a_person_is_told(app):
    subscription_id = make_subscription()
    do(payment_methods.block, subscription(subscription_id).payment_method_id, because="x")
    assert renew() == 1
    assert column(Payment, "id") == []
    assert column(Ticket, "reason") == ["method_unusable"]
    assert renew() == 0, "it is not looked at again and again"
