"""Two at once on the same money: whoever comes second finds it settled."""

import threading

import pytest
from sqlalchemy import select, update

from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.payments import accepting, applying, presenting, refunding, requesting
from opsapp.payments.errors import BeingAsked
from opsapp.payments.models import GatewayEvent, UnmatchedMoney
from opsapp.payments.refunding import RefundWish
from tests.factories import accounts, doubles, payments as make, webhooks
from tests.factories.doubles import WON
from tests.factories.payments import BY


def won(minor):
    return Money(minor, "KRW")


def together(app, *works):
    """Each in a thread of its own, at the same moment; what was refused."""
    line, refused = threading.Barrier(len(works), timeout=60), []

    def run(work):
        with app.app_context():
            line.wait()
            try:
                work()
            except OpsError as error:
                refused.append(error.code)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return refused


@pytest.fixture
def late(app, gateway):
    """A deposit that the bank let in after the account had been given up."""
    account = accounts.issue()
    gateway.deposit(orderId=account.order_id)
    with transaction():
        requesting.withdraw([account.payment_id], because="the order was cancelled", by=BY)
    for _ in range(3):
        accounts.look(account)
    assert accounts.cases(account) == [("after_cancel", accounts.AMOUNT, "open")]
    with transaction():
        db.session.execute(update(UnmatchedMoney).values(reason="late"))
    return account


def give_back(case_id, minor):
    with transaction():
        wish = RefundWish(new_ref("form"), won(minor), minor, "반환")
        refunding.request_return(case_id, wish, by=BY)


def accept(case_id):
    with transaction():
        accepting.accept_unmatched(case_id, by=BY)


def test_a_case_is_accepted_or_returned_by_whoever_is_first(app, late, owner):
    owner.execute("UPDATE payments SET status = 'failed'")
    case_id = accounts.case_id(late)
    refused = together(
        app,
        lambda: accept(case_id),
        lambda: give_back(case_id, accounts.AMOUNT),
        lambda: accept(case_id),
        lambda: give_back(case_id, accounts.AMOUNT),
    )
    [(_, _, status)] = accounts.cases(late)
    assert status in ("accepted", "returning")
    assert len(refused) == (2 if status == "accepted" else 3)
    assert {name: told for name, told in accounts.violations().items() if name != "I8"} == {}


def test_an_event_and_a_person_on_the_same_case_leave_one_truth(app, late, gateway, owner):
    owner.execute("UPDATE payments SET status = 'failed'")
    case_id = accounts.case_id(late)
    gateway.deposit(orderId=late.order_id, kind="reversed")
    client = app.test_client()
    assert accounts.callback(gateway, late).send(client).status_code == 200
    with transaction():
        ids = list(db.session.scalars(select(GatewayEvent.id)))
    together(app, lambda: accept(case_id), lambda: applying.read_events(ids, by=BY))
    make.make_everything_due()
    owner.execute("UPDATE gateway_events SET leased_until = NULL, due_at = ops_now()")
    accounts.read_events()
    accounts.look(late)
    assert accounts.stands(late)[2] == 0
    assert sum(accounts.arrived(late)) == 0
    assert {name: told for name, told in accounts.violations().items() if name != "I8"} == {}


def test_a_refund_that_was_stuck_and_made_over_there_is_found_and_not_sent_again(
    app, gateway, owner, settings
):
    [payment_id] = make.make_payments()
    doubles.take_turns(payment_id)
    refund_id = doubles.ask_back(payment_id, 4_000)
    gateway.faults(lost_before=1.0)
    doubles.take_refund_turns([refund_id])
    gateway.clear()
    owner.execute("UPDATE refunds SET turns = 99, due_at = ops_now()")
    doubles.take_refund_turns([refund_id])
    assert doubles.refund(refund_id).status == "needs_human"
    [held] = gateway.payments(*make.order_ids([payment_id]))
    gateway._call(
        "POST",
        f"/v1/payments/{held['paymentKey']}/cancel",
        {"cancelReason": "콘솔", "cancelAmount": 4_000},
        secret_key=settings.toss_secret_key.get_secret_value(),
    )
    body = {"eventType": "PAYMENT_STATUS_CHANGED", "data": held}
    assert webhooks.toss(body).send(app.test_client()).status_code == 200
    accounts.read_events()
    doubles.take_refund_turns([refund_id], 2)
    assert doubles.refund(refund_id).status == "succeeded"
    assert make.payment(payment_id).refunded_minor == 4_000
    assert accounts.violations() == {}


def agreed(gateway, settings, payment_id):
    """The payment key of a customer who agreed in Toss Payments' window."""
    wish = {"orderId": make.order_ids([payment_id])[0], "amount": WON.minor, "method": "카드"}
    return gateway.authenticate(settings.toss_secret_key.get_secret_value(), **wish)


def come_back(payment_id, key):
    presenting.come_back(make.order_ids([payment_id])[0], gateway_key=key, amount=WON, by=BY)


@pytest.mark.parametrize("lost", ["lost_before", "lost_after"])
def test_an_answer_lost_to_the_confirmation_of_a_window_charges_once(app, gateway, settings, lost):
    payment_id = doubles.by_kind("toss")
    key = agreed(gateway, settings, payment_id)
    come_back(payment_id, key)
    gateway.faults(**{lost: 1.0})
    doubles.take_turns(payment_id)
    gateway.clear()
    doubles.take_turns(payment_id, 4)
    assert doubles.stands(payment_id) == ("succeeded", "paid", WON.minor, 0)
    refund_id = doubles.ask_back(payment_id, WON.minor)
    doubles.take_refund_turns([refund_id])
    come_back(payment_id, key)
    doubles.take_turns(payment_id)
    assert doubles.stands(payment_id) == ("succeeded", "refunded", WON.minor, WON.minor)
    assert accounts.violations() == {}


def test_a_key_of_another_payment_pays_nothing_and_spoils_nothing(app, gateway, settings):
    mine, theirs = doubles.by_kind("toss"), doubles.by_kind("toss")
    key = agreed(gateway, settings, theirs)
    come_back(mine, key)
    doubles.take_turns(mine, 4)
    assert doubles.stands(mine)[2] == 0
    come_back(theirs, key)
    doubles.take_turns(theirs)
    assert doubles.stands(theirs) == ("succeeded", "paid", WON.minor, 0)
    assert doubles.stands(mine)[2] == 0


def test_who_comes_back_while_the_window_is_looked_at_can_do_so_again(
    app, gateway, settings, owner
):
    payment_id = doubles.by_kind("toss")
    key = agreed(gateway, settings, payment_id)
    owner.execute("UPDATE attempts SET status = 'inflight', fence = fence + 1")
    with pytest.raises(BeingAsked):
        come_back(payment_id, key)
    doubles.take_turns(payment_id)
    assert doubles.latest(payment_id).status == "at_window"
    come_back(payment_id, key)
    doubles.take_turns(payment_id)
    assert doubles.stands(payment_id) == ("succeeded", "paid", WON.minor, 0)
