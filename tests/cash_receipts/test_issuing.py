"""Cash receipts through the real sandbox: with the payment, and away again with its refund."""

import pytest
from sqlalchemy import update

from opsapp.cash_receipts import asking, cancelling, issuing, rules
from opsapp.cash_receipts.errors import ReceiptExists, ReceiptMoved, ReceiptNotOffered
from opsapp.cash_receipts.models import CashReceipt
from opsapp.cash_receipts.waking import RECEIPTS
from opsapp.gateways import registry
from opsapp.gateways.values import Answer, CashReceipt as Told, Outcome
from opsapp.kernel import clock
from opsapp.kernel.db import db, transaction
from opsapp.kernel.turns import wake
from tests.factories import accounts, receipts
from tests.factories.receipts import BY, PHONE

RECEIPT = {"receipt": "income_deduction", "receipt_number": PHONE}


@pytest.fixture
def inside(house):
    with house.app_context():
        yield house


@pytest.fixture
def paid(shopper):
    """A bank transfer, paid without a receipt."""
    shopper.pay("transfer")
    return shopper.payment_id


def answers(monkeypatch, name, *given):
    """The gateway's next answers to one kind of question; the last one stays."""
    left = list(given)

    async def answer(*_, **__):
        return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(registry.gateway_named("toss"), name, answer)


def stands(payment_id):
    held = receipts.of(payment_id)
    return held.status, held.standing.minor


def test_asked_for_at_the_checkout_it_is_issued_after_the_deposit_and_polled_to_its_end(
    shopper, gateway, monkeypatch, owner
):
    assert shopper.choose("virtual_account", **RECEIPT).status_code == 303
    shopper.work()
    with shopper.house.app_context():
        assert receipts.of(shopper.payment_id).status == "wanted"
        receipts.take_a_turn()
        assert receipts.of(shopper.payment_id).status == "wanted"
    gateway.deposit(orderId=shopper.order_id)
    shopper.make_due()
    shopper.work()
    with shopper.house.app_context():
        assert receipts.of(shopper.payment_id).status == "requested"
        with transaction():
            assert wake(RECEIPTS, rows_max=10, lane="toss") == 1
        receipts.take_a_turn()
        held = receipts.of(shopper.payment_id)
        assert (held.status, held.standing.minor) == ("issued", 60_000)
        assert held.registration == "010-****-6789"
        assert held.registration_sealed is None
        assert held.issue_number
        assert accounts.violations() == {}
    [(said,)] = owner.execute("SELECT count(*) FROM audit_entries WHERE detail::text LIKE '%2345%'")
    assert said == 0


def test_a_wrong_number_keeps_the_form_and_orders_nothing(shopper):
    wrong = shopper.choose("transfer", receipt="expense_proof", receipt_number="1234567890")
    assert wrong.status_code == 422
    assert "사업자등록번호 10자리" in wrong.text
    assert 'value="1234567890"' in wrong.text
    assert shopper.stage == "choose"


def test_another_way_to_pay_drops_the_wish_and_its_number(shopper):
    shopper.choose("transfer", **RECEIPT)
    shopper.pay("card")
    with shopper.house.app_context():
        held = receipts.of(shopper.payment_id)
        assert (held.status, held.registration_sealed) == ("withdrawn", None)


def test_a_receipt_that_the_tax_office_thinks_about_is_looked_up_until_it_is_issued(
    inside, paid, monkeypatch
):
    receipts.ask(paid)
    thinking = Told("key-1", "in_progress")
    answers(monkeypatch, "_issue_cash_receipt", Answer(Outcome.PENDING, cash_receipt=thinking))
    answers(
        monkeypatch,
        "_find_cash_receipt",
        Answer(Outcome.NOT_FOUND, "not listed yet"),
        Answer(Outcome.PENDING, cash_receipt=thinking),
        Answer(Outcome.APPROVED, cash_receipt=Told("key-1", "issued", issue_number="7")),
    )
    seen = []
    for _ in range(4):
        receipts.take_a_turn()
        seen.append(receipts.of(paid).status)
        receipts.make_due()
    assert seen == ["in_progress", "in_progress", "in_progress", "issued"]


def test_the_next_look_waits_an_hour(inside, paid, monkeypatch):
    receipts.ask(paid)
    told = Answer(Outcome.PENDING, cash_receipt=Told("key-1", "in_progress"))
    answers(monkeypatch, "_issue_cash_receipt", told)
    receipts.take_a_turn()
    left = receipts.of(paid).due_at - clock.now()
    assert 3_500 < left.total_seconds() <= 3_600


def test_a_whole_refund_cancels_the_receipt(inside, paid):
    receipts.ask(paid)
    receipts.take_a_turn()
    receipts.refund(paid, 60_000)
    assert receipts.of(paid).status == "cancelling"
    receipts.take_a_turn()
    assert stands(paid) == ("cancelled", 0)
    assert accounts.violations() == {}


def test_a_partial_refund_cancels_as_much_of_the_receipt(inside, paid):
    receipts.ask(paid)
    receipts.take_a_turn()
    receipts.refund(paid, 20_000)
    receipts.take_a_turn()
    assert stands(paid) == ("issued", 40_000)


def test_a_receipt_asked_for_after_a_partial_refund_is_about_what_remains(inside, paid):
    receipts.refund(paid, 20_000)
    receipts.ask(paid)
    receipts.take_a_turn()
    assert stands(paid) == ("issued", 40_000)
    receipts.refund(paid, 40_000)
    receipts.take_a_turn()
    assert stands(paid) == ("cancelled", 0)


def test_a_refund_before_anything_was_sent_shrinks_the_request_or_ends_it(inside, paid):
    receipts.ask(paid)
    receipts.refund(paid, 10_000)
    assert stands(paid) == ("requested", 50_000)
    receipts.refund(paid, 50_000)
    assert receipts.of(paid).status == "withdrawn"


def test_a_refund_while_the_issue_is_uncertain_is_followed_once_it_is_known(
    inside, paid, monkeypatch
):
    receipts.ask(paid)
    real = registry.gateway_named("toss")._issue_cash_receipt
    answers(monkeypatch, "_issue_cash_receipt", Answer(Outcome.UNKNOWN, "no answer"))
    receipts.take_a_turn()
    receipts.refund(paid, 15_000)
    assert stands(paid) == ("requested", 60_000)
    monkeypatch.setattr(registry.gateway_named("toss"), "_issue_cash_receipt", real)
    receipts.make_due()
    receipts.take_a_turn()
    assert receipts.of(paid).status == "cancelling"
    receipts.take_a_turn()
    assert stands(paid) == ("issued", 45_000)


def test_an_answer_that_was_lost_is_asked_for_under_the_same_key(inside, paid, monkeypatch):
    gateway, keys = registry.gateway_named("toss"), []
    real = gateway._issue_cash_receipt

    async def lost_once(request):
        keys.append(request.idempotency_key)
        answer = await real(request)
        return answer if len(keys) > 1 else Answer(Outcome.UNKNOWN, "lost on the way")

    monkeypatch.setattr(gateway, "_issue_cash_receipt", lost_once)
    receipts.ask(paid)
    receipts.take_a_turn()
    assert receipts.of(paid).status == "requested"
    receipts.make_due()
    receipts.take_a_turn()
    assert receipts.of(paid).status == "issued"
    assert len(set(keys)) == 1


def test_a_refusal_opens_a_ticket_and_another_number_mends_it(inside, paid, monkeypatch):
    receipts.ask(paid)
    real = registry.gateway_named("toss")._issue_cash_receipt
    refused = Answer(Outcome.DECLINED, "refused", code="INVALID_CASH_RECEIPT_INFO")
    answers(monkeypatch, "_issue_cash_receipt", refused)
    receipts.take_a_turn()
    held = receipts.of(paid)
    assert (held.status, held.failure_code) == ("failed", "INVALID_CASH_RECEIPT_INFO")
    assert accounts.open_tickets() == ["cash_receipt_failed"]
    monkeypatch.setattr(registry.gateway_named("toss"), "_issue_cash_receipt", real)
    with transaction():
        number = rules.read_registration("expense_proof", "220-81-62517")
        asking.ask_again(held.id, number, by=BY)
    receipts.take_a_turn()
    assert (receipts.of(paid).status, receipts.of(paid).kind) == ("issued", "expense_proof")
    assert accounts.open_tickets() == []


def test_a_cancel_that_was_refused_is_for_a_person_and_goes_again_under_a_new_key(
    inside, paid, monkeypatch
):
    receipts.ask(paid)
    receipts.take_a_turn()
    real = registry.gateway_named("toss")._cancel_cash_receipt
    answers(monkeypatch, "_cancel_cash_receipt", Answer(Outcome.DECLINED, "no", code="NO"))
    receipts.refund(paid, 60_000)
    receipts.take_a_turn()
    held = receipts.of(paid)
    assert held.status == "needs_human"
    assert accounts.open_tickets() == ["cash_receipt_failed"]
    monkeypatch.setattr(registry.gateway_named("toss"), "_cancel_cash_receipt", real)
    with transaction():
        asking.ask_again(held.id, by=BY)
    assert receipts.of(paid).idempotency_key != held.idempotency_key
    receipts.take_a_turn()
    assert stands(paid) == ("cancelled", 0)


def test_staff_cancel_what_stands_and_only_that(inside, paid):
    receipt_id = receipts.ask(paid)
    with transaction(), pytest.raises(ReceiptMoved):
        cancelling.cancel(receipt_id, reason="wrong number", by=BY)
    receipts.take_a_turn()
    with transaction():
        cancelling.cancel(receipt_id, reason="wrong number", by=BY)
    receipts.take_a_turn()
    assert stands(paid) == ("cancelled", 0)


def test_one_payment_has_one_receipt(inside, paid):
    receipts.ask(paid)
    with pytest.raises(ReceiptExists):
        receipts.ask(paid)


def test_a_card_payment_has_none(inside, shopper):
    shopper.pay("card")
    with pytest.raises(ReceiptNotOffered):
        receipts.ask(shopper.payment_id)


def test_an_answer_under_an_old_fence_is_discarded(inside, paid, monkeypatch):
    """A worker froze; meanwhile the lease ran out and another one has issued it."""
    receipts.ask(paid)
    gateway = registry.gateway_named("toss")
    real = gateway._issue_cash_receipt

    async def frozen(request):
        with transaction():
            db.session.execute(update(CashReceipt).values(fence=CashReceipt.fence + 1))
        return await real(request)

    monkeypatch.setattr(gateway, "_issue_cash_receipt", frozen)
    receipts.take_a_turn()
    assert receipts.of(paid).status == "requested"


def test_nothing_is_sent_when_the_lease_might_not_outlive_the_call(inside, paid, monkeypatch):
    receipts.ask(paid)
    monkeypatch.setattr(issuing, "monotonic", iter([0.0, 10_000.0]).__next__)
    receipts.take_a_turn()
    held = receipts.of(paid)
    assert (held.status, held.turns, held.fence) == ("requested", 0, 1)
