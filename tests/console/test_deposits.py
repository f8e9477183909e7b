"""The desk of virtual accounts: what is awaited, and cases with what can be done about them."""

from datetime import timedelta

import pytest

from opsapp.kernel.db import transaction
from opsapp.kernel.money import Money
from opsapp.payments import depositing
from tests.factories import accounts, payments as make
from tests.factories.accounts import AMOUNT, IssuedAccount
from tests.factories.payments import BY
from tests.factories.subscriptions import pass_time


@pytest.fixture
def awaited(house, gateway) -> IssuedAccount:
    with house.app_context():
        return accounts.issue()


@pytest.fixture
def late(house, gateway):
    """A case: the whole amount arrived when the payment had failed."""
    with house.app_context():
        account = accounts.issue()
        pass_time(timedelta(days=8))
        accounts.look(account)
        assert accounts.stands(account)[1] == "failed"
        seen = depositing.DepositSeen(
            attempt_id=account.attempt_id,
            payment_id=account.payment_id,
            customer_id=make.payment(account.payment_id).customer_id,
            gateway_name="toss",
            gateway_key="pk_late",
            currency="KRW",
            deposited_minor=AMOUNT,
            matched_minor=0,
            deposit_key="tx_late",
            depositor="홍길동",
            reason="late",
        )
        with transaction():
            depositing.record_deposits([seen], by=BY)
        return accounts.case_id(account)


def test_an_awaited_deposit_is_listed_with_its_masked_account(cs, awaited):
    page = cs.get("/console/deposits/").text
    assert "50,000" in page
    assert "우리은행" in page
    assert "**********" in page
    assert "홍길동" not in page


def test_a_case_says_why_and_what_to_do_next(cs, late):
    page = cs.get("/console/deposits/?tab=unmatched").text
    assert "기한 후 입금" in page
    assert "고객에게 확인한 뒤" in page
    assert "해당하는 건이 없습니다" in cs.get("/console/deposits/?tab=done").text
    assert "조건에 맞는 건이" in cs.get("/console/deposits/?tab=unmatched&reason=over").text


def test_a_case_shows_both_records_and_its_deposits_masked(cs, late):
    page = cs.get(f"/console/deposits/{late}").text
    assert "양쪽 기록" in page
    assert "홍*동" in page
    assert "tx_late" in page


def test_accepting_a_case_pays_its_payment(cs, late):
    assert cs.post(f"/console/deposits/{late}/accept").status_code == 302
    page = cs.get(f"/console/deposits/{late}").text
    assert "수락됨" in page
    assert "결제 대금으로 수락</button>" not in page
    assert cs.post(f"/console/deposits/{late}/accept").status_code == 302, "a second click is one"


def test_what_cannot_be_accepted_says_why(cs, house, gateway):
    with house.app_context():
        [payment_id] = make.make_payments(amount=9_900)
        [attempt_id] = make.attempt_ids([payment_id])
        with transaction():
            amount = Money(9_000, "KRW")
            depositing.hold_late_approval(attempt_id, amount, by=BY, gateway_key="pk")
    assert "결제 금액과 다름" in cs.get("/console/deposits/1").text
    refused = cs.post("/console/deposits/1/accept")
    assert refused.status_code == 409
    assert "결제 금액과 다름" in refused.text


def test_an_auditor_sees_a_case_and_cannot_decide_it(as_role, late):
    auditor = as_role("auditor")
    page = auditor.get(f"/console/deposits/{late}")
    assert page.status_code == 200
    assert "결제 대금으로 수락</button>" not in page.text
    assert auditor.post(f"/console/deposits/{late}/accept").status_code == 403


def test_a_payment_shows_its_deposits_and_its_cases(cs, late):
    page = cs.get("/console/payments/1").text
    assert "입금 내역" in page
    assert f"/console/deposits/{late}" in page


def test_a_case_that_is_none_is_not_found(cs):
    assert cs.get("/console/deposits/999").status_code == 404


def test_a_ticket_leads_to_its_case(cs, late):
    page = cs.get("/console/tickets/1").text
    assert f"/console/deposits/{late}" in page
    assert "기한이 지나 입금됨" in page
