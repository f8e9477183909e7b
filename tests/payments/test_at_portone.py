"""PortOne through the whole pipeline: billing keys, windows in which money moves, accounts."""

import json
import urllib.request
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from opsapp.gateways.values import BankAccount
from opsapp.kernel.db import db, transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.payments import (
    accepting,
    applying,
    asking_accounts,
    comparing,
    deciding,
    presenting,
    refunding,
    requesting,
    rules,
)
from opsapp.payments.deciding import Decided
from opsapp.payments.errors import NoWindow
from opsapp.payments.models import Attempt, GatewayEvent, UnmatchedMoney
from opsapp.payments.refunding import RefundWish
from opsapp.routing.models import GatewayCircuit
from opsapp.settings import current
from tests.factories import accounts, doubles, payments as make, webhooks
from tests.factories.doubles import WON
from tests.factories.payments import BY
from tests.fakes.servers import PortOneControls, portone_double

ACCOUNT = "VIRTUAL_ACCOUNT"
PAID = ("succeeded", "paid", WON.minor, 0)
LOST = {
    "before": {"does": "hang_up", "is_before": True, "times": 1},
    "after": {"does": "hang_up", "times": 1},
    "late": {"latency_s": 3, "times": 1},
}


@pytest.fixture(scope="module")
def double_url():
    with portone_double() as url:
        yield url


@pytest.fixture
def settings(settings, double_url):
    return doubles.with_portone(settings, double_url)


@pytest.fixture
def portone(settings):
    return PortOneControls(settings.portone_url, settings.portone_secret.get_secret_value())


def tell(app, payment_id, delivery_id):
    """A webhook of the gateway, and the look that it asks for."""
    order_id = make.order_ids([payment_id])[0]
    data = {"paymentId": order_id, "storeId": "store-test", "transactionId": "t-1"}
    answer = webhooks.portone(data, delivery_id=delivery_id).send(app.test_client())
    assert answer.status_code == 200, answer.text
    accounts.read_events()


@pytest.mark.parametrize("how", LOST)
def test_a_lost_answer_to_a_charge_charges_once(app, portone, how):
    payment_id = doubles.at_portone(portone)
    portone.fault(path="/billing-key", **LOST[how])
    doubles.take_turns(payment_id, 4)
    assert doubles.stands(payment_id) == PAID
    assert accounts.violations() == {}


@pytest.mark.parametrize("how", ["before", "after"])
def test_refunds_in_part_and_whole_survive_a_lost_answer(app, portone, how):
    payment_id = doubles.at_portone(portone)
    doubles.take_turns(payment_id)
    for minor in (10_000, 20_000):
        refund_id = doubles.ask_back(payment_id, minor)
        portone.fault(path="/cancel", **LOST[how])
        doubles.take_refund_turns([refund_id], 4)
        assert doubles.refund(refund_id).status == "succeeded"
    assert doubles.stands(payment_id) == ("succeeded", "refunded", WON.minor, WON.minor)
    assert accounts.violations() == {}


def test_money_that_moved_in_the_window_is_found_and_agrees_with_the_books(app, portone):
    payment_id = doubles.by_kind("portone")
    doubles.decide(doubles.open_window(payment_id))
    come_back(payment_id)
    doubles.take_turns(payment_id)
    assert doubles.stands(payment_id) == PAID
    doubles.take_turns(doubles.at_portone(portone))  # something was sent, too
    assert accounts.violations() == {}


def test_a_window_that_was_left_open_ends_and_can_be_chosen_anew(app, portone):
    payment_id = doubles.by_kind("portone")
    doubles.decide(doubles.open_window(payment_id), "cancel")
    age_window(payment_id)
    doubles.take_turns(payment_id)
    assert doubles.stands(payment_id)[:2] == ("declined", "failed")
    assert accounts.violations() == {}


def test_a_window_paid_after_its_end_is_held_and_either_taken_or_returned(app, portone):
    payment_id = doubles.by_kind("portone")
    window = doubles.open_window(payment_id)
    doubles.decide(window, "cancel")
    age_window(payment_id)
    doubles.take_turns(payment_id)
    doubles.decide(window)
    tell(app, payment_id, "msg-late")
    account = as_account(payment_id)
    assert accounts.cases(account) == [("late_approval", WON.minor, "open")]
    assert accounts.open_tickets() == ["unmatched_money"]
    assert accounts.violations() == {}
    case_id = accounts.case_id(account)
    with transaction():
        accepting.accept_unmatched(case_id, by=BY)
    assert doubles.stands(payment_id) == PAID
    assert accounts.violations() == {}
    refund_id = doubles.ask_back(payment_id, WON.minor)
    doubles.take_refund_turns([refund_id])
    assert doubles.refund(refund_id).status == "succeeded"
    assert accounts.violations() == {}


def test_an_order_paid_in_two_windows_is_noticed_and_the_second_money_goes_back(app, portone):
    payment_id = doubles.by_kind("portone")
    first = doubles.open_window(payment_id)
    doubles.decide(first, "cancel")
    age_window(payment_id)
    doubles.take_turns(payment_id)
    with transaction():
        presenting.choose_again(payment_id, method_kind="card", by=BY)
    doubles.decide(doubles.open_window(payment_id))
    doubles.take_turns(payment_id)
    assert doubles.stands(payment_id) == PAID
    doubles.decide(first)
    tell(app, payment_id, "msg-twice")
    account = as_account(payment_id)
    assert accounts.cases(account) == [("late_approval", WON.minor, "open")]
    assert accounts.violations() == {}
    refund_id = give_case_back(accounts.case_id(account), WON.minor)
    doubles.take_refund_turns([refund_id])
    assert accounts.cases(account) == [("late_approval", WON.minor, "returned")]
    assert doubles.stands(payment_id) == PAID
    assert accounts.violations() == {}


def test_who_pays_after_the_end_and_comes_back_is_found_without_any_webhook(app, portone):
    payment_id = doubles.by_kind("portone")
    window = doubles.open_window(payment_id)
    doubles.decide(window, "cancel")
    age_window(payment_id)
    doubles.take_turns(payment_id)
    doubles.decide(window)
    with pytest.raises(NoWindow):
        come_back(payment_id)
    accounts.read_events()
    assert accounts.cases(as_account(payment_id)) == [("late_approval", WON.minor, "open")]


def test_who_pays_after_the_end_and_is_never_seen_again_is_found_in_the_books(app, portone):
    payment_id = doubles.by_kind("portone")
    window = doubles.open_window(payment_id)
    age_window(payment_id)
    doubles.take_turns(payment_id)
    doubles.decide(window)
    assert comparing.look_into_latest("portone") == 1
    assert comparing.look_into_latest("portone") == 1, "one message a day, however often"
    with transaction():
        ids = list(db.session.scalars(select(GatewayEvent.id)))
    applying.read_events(ids, by=BY)
    assert len(ids) == 1
    with transaction():
        assert db.session.scalars(select(UnmatchedMoney.reason)).all() == ["late_approval"]
    assert comparing.look_into_latest("portone") == 0


def test_a_worker_that_died_while_looking_at_a_window_leaves_it_open(app, portone):
    payment_id = doubles.by_kind("portone")
    window = doubles.open_window(payment_id)
    doubles.decide(window, "cancel")
    die_in_the_next_turn(payment_id)
    doubles.take_turns(payment_id)
    assert doubles.latest(payment_id).status == "at_window"
    doubles.decide(window)
    doubles.take_turns(payment_id)
    assert doubles.stands(payment_id) == PAID


def test_a_short_and_a_late_deposit_are_told_apart_and_returned_with_an_account(app, portone):
    payment_id = doubles.by_kind("portone", "virtual_account")
    doubles.take_turns(payment_id)
    assert doubles.latest(payment_id).status == "waiting"
    account = as_account(payment_id)
    portone.deposit(account.order_id, 10_000)
    with transaction():
        requesting.withdraw([payment_id], because="the order was cancelled", by=BY)
    doubles.take_turns(payment_id, 3)
    assert accounts.cases(account) == [("after_cancel", 10_000, "open")]
    tell(app, payment_id, "msg-1")
    assert accounts.cases(account) == [("after_cancel", 10_000, "open")]
    assert accounts.violations() == {}
    refund_id = give_case_back(accounts.case_id(account), 10_000)
    assert doubles.refund(refund_id).status == "awaiting_account"
    with transaction():
        asking_accounts.type_account(refund_id, BankAccount("88", "110123456789", "김래원"), by=BY)
    doubles.take_refund_turns([refund_id])
    assert doubles.refund(refund_id).status == "succeeded"
    tell(app, payment_id, "msg-2")
    assert accounts.cases(account) == [("after_cancel", 10_000, "returned")]
    assert accounts.violations() == {}


def test_what_the_payment_took_and_what_it_did_not_are_given_back_one_after_the_other(app, portone):
    payment_id = doubles.by_kind("portone", "virtual_account")
    doubles.take_turns(payment_id)
    account = as_account(payment_id)
    portone.deposit(account.order_id, WON.minor + 5_000)
    doubles.take_turns(payment_id)
    assert doubles.stands(payment_id) == PAID
    own = doubles.ask_back(payment_id, 10_000)
    with pytest.raises(Exception, match="under way"):
        give_case_back(accounts.case_id(account), 5_000)
    name_account(own)
    doubles.take_refund_turns([own])
    beside = give_case_back(accounts.case_id(account), 5_000)
    name_account(beside)
    portone.fault(path="/cancel", **LOST["after"])
    doubles.take_refund_turns([beside], 3)
    rest = doubles.ask_back(payment_id, 20_000)
    name_account(rest)
    doubles.take_refund_turns([rest])
    assert [doubles.refund(each).status for each in (own, beside, rest)] == ["succeeded"] * 3
    assert doubles.stands(payment_id) == ("succeeded", "refunded", WON.minor, WON.minor)
    tell(app, payment_id, "msg-after")
    assert accounts.violations() == {}


def name_account(refund_id):
    with transaction():
        asking_accounts.type_account(refund_id, BankAccount("88", "110123456789", "김래원"), by=BY)


def give_case_back(case_id, minor):
    wish = RefundWish(new_ref("form"), Money(minor, "KRW"), minor, "초과 입금 반환")
    with transaction():
        return refunding.request_return(case_id, wish, by=BY)


def as_account(payment_id):
    attempt_id, order_id = make.attempt_ids([payment_id])[0], make.order_ids([payment_id])[0]
    return accounts.IssuedAccount(payment_id, attempt_id, order_id)


def come_back(payment_id):
    order_id = make.order_ids([payment_id])[0]
    presenting.come_back(order_id, gateway_key=None, amount=None, by=BY)


def die_in_the_next_turn(payment_id):
    """Claimed, and never heard of again."""
    with transaction():
        mine = update(Attempt).where(Attempt.payment_id == payment_id)
        db.session.execute(
            mine.values(status="inflight", fence=Attempt.fence + 1, turns=Attempt.turns + 1)
        )


def age_window(payment_id, by=rules.WINDOW_LIFE + timedelta(seconds=1)):
    with transaction():
        mine = update(Attempt).where(Attempt.payment_id == payment_id)
        db.session.execute(mine.values(created_at=Attempt.created_at - by))


def test_cards_may_wait_in_their_windows_without_the_gateway_being_taken_for_broken(app, portone):
    ids = []
    for _ in range(2):
        payment_id = doubles.by_kind("portone")
        doubles.decide(doubles.open_window(payment_id), "cancel")
        ids.append(payment_id)
    for _ in range(6):
        doubles.take_turns(ids[0])
        doubles.take_turns(ids[1])
        with transaction():
            db.session.execute(update(Attempt).values(turns=0))
    with transaction():
        trouble = db.session.scalars(select(GatewayCircuit.failures)).all()
    assert trouble == []


def test_an_account_of_which_no_answer_speaks_any_more_keeps_what_was_paid_in(app, portone, owner):
    payment_id = doubles.by_kind("portone", "virtual_account")
    doubles.take_turns(payment_id)
    account = as_account(payment_id)
    portone.deposit(account.order_id, 10_000)
    doubles.take_turns(payment_id)
    portone.fault(does="answer", is_before=True, status=500, path=account.order_id)
    owner.execute("UPDATE attempts SET turns = 99")
    doubles.take_turns(payment_id)
    assert doubles.latest(payment_id).status == "needs_human"
    picture = deciding.look("attempt", account.attempt_id)
    assert picture.allowed == ("not_charged", "ask_again")
    wish = Decided(
        new_ref("form"), "attempt", account.attempt_id, "not_charged", "확인", "문의 1",
        picture.fingerprint,
    )  # fmt: skip
    deciding.decide_after_look(wish, by=BY)
    portone.clear_fault()
    assert accounts.cases(account) == [("short", 10_000, "open")]
    assert accounts.violations() == {}


def test_an_account_chosen_in_a_window_is_never_found_paid_by_a_person(app, portone, owner):
    payment_id = doubles.by_kind("portone", "virtual_account")
    owner.execute("UPDATE attempts SET flow = 'window', turns = 99")
    doubles.take_turns(payment_id)
    assert doubles.latest(payment_id).status == "needs_human"
    picture = deciding.look("attempt", as_account(payment_id).attempt_id)
    assert "approved" not in picture.allowed


def test_an_account_that_cannot_be_issued_for_an_order_just_cancelled_is_not_asked_elsewhere(
    app, portone, owner
):
    payment_id = doubles.by_kind("portone", "virtual_account")
    body = {"type": "CHANNEL_NOT_FOUND"}
    portone.fault(does="answer", is_before=True, status=404, body=body, path="/instant", times=1)
    owner.execute("UPDATE attempts SET close_because = 'the order was cancelled'")
    doubles.take_turns(payment_id)
    assert doubles.stands(payment_id)[:2] == ("declined", "cancelled")
    assert accounts.violations() == {}


def test_what_was_paid_with_in_the_window_rules_the_refund(app, portone, owner):
    payment_id = doubles.by_kind("portone", "virtual_account")
    owner.execute("UPDATE attempts SET flow = 'window', status = 'at_window'")
    owner.execute("UPDATE payments SET method_kind = 'virtual_account'")
    window = doubles.open_window(payment_id)
    doubles.decide(replace(window, redirect_url=window.redirect_url.replace(ACCOUNT, "CARD")))
    doubles.take_turns(payment_id)
    assert doubles.stands(payment_id) == PAID
    assert doubles.latest(payment_id).method_kind == "card"
    assert accounts.arrived(as_account(payment_id)) == []
    refund_id = doubles.ask_back(payment_id, 10_000)
    doubles.take_refund_turns([refund_id])
    assert doubles.refund(refund_id).status == "succeeded"
    assert accounts.violations() == {}


@pytest.mark.parametrize("late", [False, True])
def test_money_beside_a_payment_that_was_given_back_over_there_ends_its_case(app, portone, late):
    payment_id, case = (paid_late if late else paid_too_much)(app, portone)
    cancel_there(app, payment_id, case)
    tell(app, payment_id, "msg-there")
    [(_, minor, status)] = accounts.cases(as_account(payment_id))
    assert (minor, status) == (case, "returned")
    assert "gateway_disagrees" in accounts.open_tickets()
    assert accounts.violations() == {}


def test_all_of_it_given_back_over_there_is_all_booked(app, portone):
    payment_id, case = paid_too_much(app, portone)
    cancel_there(app, payment_id, WON.minor + case)
    tell(app, payment_id, "msg-there")
    assert doubles.stands(payment_id) == ("succeeded", "refunded", WON.minor, WON.minor)
    assert accounts.cases(as_account(payment_id)) == [("over", case, "returned")]
    assert accounts.open_tickets() == ["gateway_disagrees"]
    assert accounts.violations() == {}


def test_what_was_given_back_over_there_and_fits_nothing_is_told_and_stops_nothing(app, portone):
    payment_id, _ = paid_too_much(app, portone)
    cancel_there(app, payment_id, WON.minor + 1)
    tell(app, payment_id, "msg-there")
    assert doubles.stands(payment_id) == PAID
    assert accounts.open_tickets() == ["unmatched_money", "gateway_disagrees"]


def paid_too_much(app, portone):
    payment_id = doubles.by_kind("portone", "virtual_account")
    doubles.take_turns(payment_id)
    portone.deposit(as_account(payment_id).order_id, WON.minor + 5_000)
    doubles.take_turns(payment_id)
    assert accounts.cases(as_account(payment_id)) == [("over", 5_000, "open")]
    return payment_id, 5_000


def paid_late(app, portone):
    payment_id = doubles.by_kind("portone")
    window = doubles.open_window(payment_id)
    doubles.decide(window, "cancel")
    age_window(payment_id)
    doubles.take_turns(payment_id)
    doubles.decide(window)
    tell(app, payment_id, "msg-late")
    assert accounts.cases(as_account(payment_id)) == [("late_approval", WON.minor, "open")]
    return payment_id, WON.minor


def cancel_there(app, payment_id, minor):
    """In the gateway's own console."""
    settings = current()
    body = {
        "amount": minor,
        "reason": "콘솔",
        "refundAccount": {"bank": "SHINHAN", "number": "1", "holderName": "김"},
    }
    request = urllib.request.Request(
        f"{settings.portone_url}/payments/{make.order_ids([payment_id])[0]}/cancel",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"PortOne {settings.portone_secret.get_secret_value()}"},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200
