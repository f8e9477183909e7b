"""Every operation of the Toss Payments adapter against the sandbox, over real sockets."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from opsapp.gateways import toss
from opsapp.gateways.http import Limits
from opsapp.gateways.values import Answer, Flow, Outcome
from opsapp.kernel.clock import seoul_date
from opsapp.kernel.money import Money
from tests.conformance.toss import ACCOUNT, WON, Till, fresh, opened

NOTHING = Money(0, "KRW")
HOUR_S, DAY_S = 3600, 86_400


@pytest.fixture(scope="module")
def open_till(sandbox_url: str) -> Iterator[Till]:
    with opened(sandbox_url) as till:
        yield till


@pytest.fixture
def till(open_till: Till) -> Iterator[Till]:
    """One merchant for the whole file; every test has order numbers of its own."""
    yield open_till
    open_till.controls.reset()


@pytest.fixture
def order() -> str:
    return fresh("op")


def paid(till: Till, order: str, **wish: object) -> Answer:
    answer = till.confirm(order, **wish)
    assert answer.outcome is Outcome.APPROVED, answer
    return answer


def deposited(till: Till, order: str) -> Answer:
    account = till.account(order)
    till.controls.deposit(orderId=order)
    return account


class TestPaymentsByWindow:
    @pytest.mark.parametrize(
        ("wish", "kind", "shown"),
        [
            ({"method": "CARD"}, "card", {"instalment_months": 0}),
            (
                {"method": "CARD", "installmentPlanMonths": 6},
                "card",
                {"instalment_months": 6},
            ),
            ({"method": "TRANSFER", "bank": "20"}, "transfer", {"issuer": "20"}),
            ({"method": "MOBILE_PHONE", "carrier": "KT"}, "mobile", {"number": "010-****-0000"}),
            (
                {
                    "method": "EASY_PAY",
                    "provider": "네이버페이",
                    "walletMoney": 20_000,
                    "walletPoints": 5000,
                },
                "easy_pay",
                {
                    "provider": "네이버페이",
                    "card_minor": 35_000,
                    "money_minor": 20_000,
                    "points_minor": 5000,
                },
            ),
            (
                {"method": "EASY_PAY", "provider": "토스페이", "walletMoney": 60_000},
                "easy_pay",
                {"card_minor": 0, "money_minor": 60_000, "points_minor": 0},
            ),
        ],
        ids=["card", "card in instalments", "transfer", "mobile", "wallet split", "wallet money"],
    )
    def test_a_confirmed_payment_says_how_it_was_paid(
        self, till: Till, order: str, wish: dict[str, object], kind: str, shown: dict[str, object]
    ) -> None:
        answer = paid(till, order, **wish)
        assert (answer.amount, answer.refunded, answer.method_kind) == (WON, NOTHING, kind)
        assert answer.paid_with is not None
        assert shown.items() <= answer.paid_with.items()
        assert answer.deposited is None
        assert answer.receipt_url
        assert answer.trace_id

    def test_a_card_is_shown_by_issuer_and_masked_number(self, till: Till, order: str) -> None:
        answer = paid(till, order)
        assert answer.paid_with is not None
        assert "*" in answer.paid_with["number"]
        assert len(answer.paid_with["issuer"]) == 2
        assert answer.approval_number

    def test_a_virtual_account_from_the_window_waits_for_its_deposit(
        self, till: Till, order: str
    ) -> None:
        answer = till.confirm(order, method="VIRTUAL_ACCOUNT", bank="88", customerName="김래원")
        assert (answer.outcome, answer.deposited) == (Outcome.PENDING, NOTHING)
        assert answer.account is not None

    def test_confirming_another_amount_than_the_window_showed_charges_nothing(
        self, till: Till, order: str
    ) -> None:
        key = till.authenticate(order)
        answer = till.charge(
            Flow.WINDOW, order, gateway_key=key, amount=Money(WON.minor - 1, "KRW")
        )
        assert answer.outcome is Outcome.MISCONFIGURED
        assert till.inquire(order).outcome is Outcome.IN_PROGRESS

    def test_a_payment_that_was_never_confirmed_is_in_progress(
        self, till: Till, order: str
    ) -> None:
        till.authenticate(order)
        answer = till.inquire(order, Flow.WINDOW)
        assert (answer.outcome, answer.code) == (Outcome.IN_PROGRESS, "IN_PROGRESS")

    def test_a_window_that_ran_out_is_a_decline(self, till: Till, order: str) -> None:
        key = till.authenticate(order)
        till.controls.clock(601)
        late = till.charge(Flow.WINDOW, order, gateway_key=key)
        assert (late.outcome, late.code) == (Outcome.DECLINED, "NOT_FOUND_PAYMENT_SESSION")
        found = till.inquire(order)
        assert (found.outcome, found.code) == (Outcome.DECLINED, "EXPIRED_PAYMENT")

    def test_a_buyer_who_cancels_is_found_declined_of_their_own_will(
        self, till: Till, order: str
    ) -> None:
        till.authenticate(order, fails_with="PAY_PROCESS_CANCELED")
        answer = till.inquire(order)
        assert answer.outcome is Outcome.DECLINED
        assert answer.failure_class == "customer_cancelled"

    def test_a_second_window_for_a_paid_order_is_a_conflict(self, till: Till, order: str) -> None:
        paid(till, order)
        again = till.charge(
            Flow.WINDOW, order, gateway_key=till.authenticate(order), key=fresh("pay")
        )
        assert (again.outcome, again.code) == (Outcome.CONFLICT, "DUPLICATED_ORDER_ID")
        assert till.inquire(order).outcome is Outcome.APPROVED

    def test_an_ended_payment_is_a_decline_even_if_its_code_alone_is_uncertain(
        self, till: Till, order: str
    ) -> None:
        till.authenticate(order, fails_with="PROVIDER_ERROR")
        answer = till.inquire(order)
        assert (answer.outcome, answer.failure_class) == (Outcome.DECLINED, "gateway_error")


class TestBillingKeys:
    @pytest.mark.parametrize("kind", ["card", "transfer", "easy_pay"])
    def test_a_key_is_issued_and_charged(self, till: Till, order: str, kind: str) -> None:
        answer = till.charge(Flow.BILLING, order, billing_key=till.billing_key(kind))
        assert (answer.outcome, answer.amount, answer.method_kind) == (
            Outcome.APPROVED,
            WON,
            kind,
        )

    def test_the_same_request_again_gets_the_first_answer(self, till: Till, order: str) -> None:
        billing_key = till.billing_key()
        first = till.charge(Flow.BILLING, order, billing_key=billing_key)
        again = till.charge(Flow.BILLING, order, billing_key=billing_key)
        assert replace(again, took_s=0, trace_id=None) == replace(first, took_s=0, trace_id=None)
        assert len(till.controls.payments(order)) == 1

    def test_the_same_order_under_another_key_is_a_conflict(self, till: Till, order: str) -> None:
        billing_key = till.billing_key()
        till.charge(Flow.BILLING, order, billing_key=billing_key)
        again = till.charge(Flow.BILLING, order, billing_key=billing_key, key=fresh("pay"))
        assert again.outcome is Outcome.CONFLICT

    def test_a_declined_charge_is_found_declined_with_the_same_code(
        self, till: Till, order: str
    ) -> None:
        billing_key = till.billing_key()
        till.controls.card(billing_key, "insufficient_funds")
        declined = till.charge(Flow.BILLING, order, billing_key=billing_key)
        found = till.inquire(order)
        assert declined.outcome is found.outcome is Outcome.DECLINED
        assert declined.code == found.code == "REJECT_CARD_PAYMENT"

    def test_issuing_again_under_the_same_key_issues_one(self, till: Till) -> None:
        auth_key = f"card.{secrets.token_hex(6)}"
        first = till.issue(auth_key, key=f"issue:{auth_key}")
        assert first.billing_key == till.issue(auth_key, key=f"issue:{auth_key}").billing_key
        used = till.issue(auth_key)
        assert (used.outcome, used.failure_class) == (Outcome.DECLINED, "expired_or_suspended")

    def test_a_deleted_key_is_gone_for_charges_and_for_deletions(
        self, till: Till, order: str
    ) -> None:
        billing_key = till.billing_key()
        assert till.delete(billing_key).outcome is Outcome.APPROVED
        assert till.delete(billing_key).outcome is Outcome.NOT_FOUND
        assert till.delete("never-issued").outcome is Outcome.NOT_FOUND
        answer = till.charge(Flow.BILLING, order, billing_key=billing_key)
        assert (answer.outcome, answer.code) == (Outcome.DECLINED, "ALREADY_REMOVED_BILLING_KEY")

    def test_a_wrong_api_key_is_our_own_mistake(self, till: Till, order: str) -> None:
        with opened(till.controls.url, secret_key="live_sk_wrong") as stranger:
            answer = stranger.charge(Flow.BILLING, order, billing_key="bk")
            assert (answer.outcome, answer.code) == (Outcome.MISCONFIGURED, "INVALID_API_KEY")
            assert stranger.inquire(order).outcome is Outcome.UNKNOWN


class TestUncertainty:
    def test_an_order_that_was_never_sent_is_not_found(self, till: Till, order: str) -> None:
        assert till.inquire(order).outcome is Outcome.NOT_FOUND

    @pytest.mark.parametrize("fault", ["lost_after", "resets", "lost_before"])
    def test_a_lost_answer_is_uncertain_and_the_replay_charges_once(
        self, till: Till, order: str, fault: str
    ) -> None:
        billing_key = till.billing_key()
        till.controls.faults(**{fault: 1})
        lost = till.charge(Flow.BILLING, order, billing_key=billing_key)
        assert lost.outcome is Outcome.UNKNOWN
        was_charged = fault == "lost_after"
        found = till.inquire(order)
        assert found.outcome is (Outcome.APPROVED if was_charged else Outcome.NOT_FOUND)
        till.controls.clear()
        again = till.charge(Flow.BILLING, order, billing_key=billing_key)
        assert again.outcome is Outcome.APPROVED
        assert len(till.controls.payments(order)) == 1

    def test_an_inner_error_is_uncertain_and_a_replayed_one_stays_so(
        self, till: Till, order: str
    ) -> None:
        billing_key = till.billing_key()
        till.controls.faults(errors_500=1, errors_500_stored=True)
        assert till.charge(Flow.BILLING, order, billing_key=billing_key).outcome is Outcome.UNKNOWN
        till.controls.clear()
        assert till.charge(Flow.BILLING, order, billing_key=billing_key).outcome is Outcome.UNKNOWN
        assert till.inquire(order).outcome is Outcome.NOT_FOUND

    def test_an_answer_that_comes_too_late_is_uncertain_and_found_later(
        self, till: Till, order: str
    ) -> None:
        limits = Limits(timeout_s=0.15, inquiry_timeout_s=5, abreast_max=4, rate_per_s_max=0)
        with opened(till.controls.url, limits=limits) as hasty:
            billing_key = hasty.billing_key()
            till.controls.faults(latency_ms={"fixed": 400})
            slow = hasty.charge(Flow.BILLING, order, billing_key=billing_key)
            assert slow.outcome is Outcome.UNKNOWN
            assert slow.took_s > 0.1
            # The inquiry takes its turn after the charge, and as long.
            assert hasty.inquire(order).outcome is Outcome.APPROVED

    def test_a_gateway_that_nobody_listens_at_was_sent_nothing(self, order: str) -> None:
        with opened("http://127.0.0.1:9") as nowhere:
            answer = nowhere.charge(Flow.BILLING, order, billing_key="bk")
            assert answer.outcome is Outcome.NOT_SENT
            assert nowhere.inquire(order).outcome is Outcome.NOT_SENT

    def test_an_inquiry_that_fails_says_nothing(self, till: Till, order: str) -> None:
        paid(till, order)
        till.controls.faults(inquiry_failures=1)
        assert till.inquire(order).outcome is Outcome.UNKNOWN


class TestRefunds:
    def test_in_parts_down_to_nothing_counts_what_was_given_back(
        self, till: Till, order: str
    ) -> None:
        key = paid(till, order).gateway_key
        first = till.refund(key, 20_000)
        second = till.refund(key, 40_000, before=40_000)
        assert (first.outcome, first.amount, first.refunded) == (
            Outcome.APPROVED,
            Money(20_000, "KRW"),
            Money(20_000, "KRW"),
        )
        assert (second.amount, second.refunded) == (Money(40_000, "KRW"), WON)
        assert first.transaction_key != second.transaction_key
        found = till.inquire(order)
        assert (found.outcome, found.amount, found.refunded) == (Outcome.APPROVED, WON, WON)

    def test_the_same_refund_again_gives_back_once(self, till: Till, order: str) -> None:
        key = paid(till, order).gateway_key
        first = till.refund(key, 20_000, key=f"refund:{order}")
        again = till.refund(key, 20_000, key=f"refund:{order}")
        assert first.transaction_key == again.transaction_key
        assert till.inquire(order).refunded == Money(20_000, "KRW")

    def test_another_refundable_amount_than_the_gateways_gives_nothing_back(
        self, till: Till, order: str
    ) -> None:
        key = paid(till, order).gateway_key
        answer = till.refund(key, 20_000, before=59_999)
        assert (answer.outcome, answer.code) == (Outcome.CONFLICT, "NOT_MATCHES_REFUNDABLE_AMOUNT")
        assert till.inquire(order).refunded == NOTHING

    def test_a_second_whole_refund_is_a_conflict(self, till: Till, order: str) -> None:
        key = paid(till, order).gateway_key
        assert till.refund(key, WON.minor).outcome is Outcome.APPROVED
        assert till.refund(key, WON.minor, before=0).code == "ALREADY_CANCELED_PAYMENT"

    def test_a_refund_of_a_payment_nobody_knows_is_a_conflict(self, till: Till) -> None:
        answer = till.refund("never-made", 1)
        assert (answer.outcome, answer.failure_class) == (Outcome.CONFLICT, "state_conflict")

    def test_a_transfer_is_refunded_in_part(self, till: Till, order: str) -> None:
        key = paid(till, order, method="TRANSFER").gateway_key
        assert till.refund(key, 1000).refunded == Money(1000, "KRW")

    def test_a_mobile_payment_is_refunded_whole_only(self, till: Till, order: str) -> None:
        key = paid(till, order, method="MOBILE_PHONE").gateway_key
        part = till.refund(key, 1000)
        assert (part.outcome, part.code) == (Outcome.CONFLICT, "NOT_ALLOWED_PARTIAL_REFUND")
        assert till.refund(key, WON.minor).outcome is Outcome.APPROVED

    def test_a_mobile_payment_is_refunded_in_its_own_month_only(
        self, till: Till, order: str
    ) -> None:
        key = paid(till, order, method="MOBILE_PHONE").gateway_key
        till.controls.clock(32 * DAY_S)
        late = till.refund(key, WON.minor)
        assert (late.outcome, late.code) == (Outcome.CONFLICT, "EXCEED_MAX_REFUND_DUE")
        assert late.retry_mode == "none"


class TestVirtualAccounts:
    def test_an_account_is_issued_and_waits(self, till: Till, order: str) -> None:
        answer = till.account(order)
        assert (answer.outcome, answer.method_kind) == (Outcome.PENDING, "virtual_account")
        assert (answer.deposited, answer.amount) == (NOTHING, None)
        account = answer.account
        assert account is not None
        assert (account.bank, account.is_expired) == ("88", False)
        assert account.secret
        left = account.due_at - datetime.now(UTC)
        assert timedelta(hours=23) < left <= timedelta(hours=24)

    def test_an_exact_deposit_is_an_approval_that_names_it(self, till: Till, order: str) -> None:
        account = till.account(order)
        till.controls.deposit(orderId=order, depositor="김래원")
        answer = till.inquire(order)
        assert (answer.outcome, answer.amount, answer.deposited) == (Outcome.APPROVED, WON, WON)
        assert (answer.gateway_key, answer.depositor) == (account.gateway_key, "김래원")
        assert answer.deposit_key

    @pytest.mark.parametrize("kind", ["short", "over"])
    def test_another_sum_is_turned_away_by_the_bank(
        self, till: Till, order: str, kind: str
    ) -> None:
        till.account(order)
        till.controls.deposit(orderId=order, kind=kind)
        assert till.inquire(order).outcome is Outcome.PENDING
        [tried] = till.controls.deposits(order)
        assert tried["accepted"] is False

    def test_a_strangers_deposit_is_let_in_and_named(self, till: Till, order: str) -> None:
        till.account(order)
        till.controls.deposit(orderId=order, kind="wrong_depositor")
        answer = till.inquire(order)
        assert (answer.outcome, answer.depositor) == (Outcome.APPROVED, "모르는사람")

    def test_a_deposit_that_the_bank_takes_back_leaves_an_account_that_waits(
        self, till: Till, order: str
    ) -> None:
        deposited(till, order)
        till.controls.deposit(orderId=order, kind="reversed")
        answer = till.inquire(order)
        assert (answer.outcome, answer.deposited) == (Outcome.PENDING, NOTHING)

    def test_an_account_that_ran_out_is_a_decline_and_a_late_deposit_an_approval(
        self, till: Till, order: str
    ) -> None:
        till.account(order)
        till.controls.clock(25 * HOUR_S)
        answer = till.inquire(order)
        assert (answer.outcome, answer.code) == (Outcome.DECLINED, "DEPOSIT_EXPIRED")
        till.controls.deposit(orderId=order, kind="late")
        late = till.inquire(order)
        assert (late.outcome, late.deposited) == (Outcome.APPROVED, WON)

    def test_a_closed_account_takes_no_more_deposits(self, till: Till, order: str) -> None:
        account = till.account(order)
        assert till.close_account(account.gateway_key, order).outcome is Outcome.APPROVED
        answer = till.inquire(order)
        assert (answer.outcome, answer.code) == (Outcome.DECLINED, "DEPOSIT_CANCELLED")
        till.controls.deposit(orderId=order)
        [tried] = till.controls.deposits(order)
        assert (tried["accepted"], tried["reason"]) == (False, "the payment is CANCELED")

    def test_an_account_that_was_paid_into_is_not_closed(self, till: Till, order: str) -> None:
        account = deposited(till, order)
        assert till.close_account(account.gateway_key, order).outcome is Outcome.CONFLICT
        assert till.inquire(order).refunded == NOTHING

    def test_closing_an_account_twice_is_a_conflict(self, till: Till, order: str) -> None:
        account = till.account(order)
        till.close_account(account.gateway_key, order)
        again = till.close_account(account.gateway_key, order)
        assert (again.outcome, again.code) == (Outcome.CONFLICT, "ALREADY_CANCELED_PAYMENT")

    def test_a_deposit_goes_back_to_the_customers_bank_account(
        self, till: Till, order: str
    ) -> None:
        key = deposited(till, order).gateway_key
        part = till.refund(key, 10_000, account=ACCOUNT)
        assert (part.outcome, part.refunded) == (Outcome.APPROVED, Money(10_000, "KRW"))
        found = till.inquire(order)
        assert (found.refunded, found.deposited) == (Money(10_000, "KRW"), WON)
        # The last transaction is the cancel now, and no second deposit.
        assert found.deposit_key is None

    def test_without_a_bank_account_no_deposit_goes_back(self, till: Till, order: str) -> None:
        key = deposited(till, order).gateway_key
        answer = till.refund(key, WON.minor)
        assert (answer.outcome, answer.code) == (Outcome.CONFLICT, "INVALID_REFUND_ACCOUNT_INFO")
        assert till.inquire(order).refunded == NOTHING


class TestCashReceipts:
    def test_one_is_issued_found_and_cancelled(self, till: Till, order: str) -> None:
        issued = till.issue_receipt(order)
        assert issued.outcome is Outcome.APPROVED
        receipt = issued.cash_receipt
        assert receipt is not None
        assert (receipt.status, bool(receipt.issue_number)) == ("issued", True)
        today = seoul_date(datetime.now(UTC))
        find = till.gateway.find_cash_receipt
        assert till.ask(find(receipt.receipt_key, requested_on=today)).cash_receipt == receipt
        cancelled = till.cancel_receipt(receipt.receipt_key).cash_receipt
        assert cancelled is not None
        assert (cancelled.status, cancelled.receipt_key) == (
            "cancelled",
            f"c_{receipt.receipt_key}",
        )
        other_day = today - timedelta(days=3)
        unseen = till.ask(find(receipt.receipt_key, requested_on=other_day))
        assert unseen.outcome is Outcome.NOT_FOUND

    def test_a_second_one_for_an_order_is_a_conflict(self, till: Till, order: str) -> None:
        till.issue_receipt(order)
        again = till.issue_receipt(order)
        assert (again.outcome, again.code) == (Outcome.CONFLICT, "DUPLICATED_CASH_RECEIPT")

    def test_the_same_request_again_is_the_same_receipt(self, till: Till, order: str) -> None:
        first = till.issue_receipt(order, key=f"receipt:{order}")
        assert till.issue_receipt(order, key=f"receipt:{order}").cash_receipt == first.cash_receipt


class TestBooks:
    def test_a_day_lists_approvals_and_cancels_page_by_page(
        self, sandbox_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(toss, "ROWS_PER_PAGE", 2)
        with opened(sandbox_url) as till:
            orders = [fresh("op") for _ in range(3)]
            keys = [paid(till, order).gateway_key for order in orders]
            till.refund(keys[0], 10_000)
            now = datetime.now(UTC)
            since, until = now - timedelta(hours=1), now + timedelta(hours=1)
            rows = till.ask(till.gateway.list_transactions(since, until))
        assert [row.amount.minor for row in rows] == [60_000, 60_000, 60_000, -10_000]
        assert [row.gateway_order_id for row in rows] == [*orders, orders[0]]
        assert len({row.transaction_key for row in rows}) == 4

    def test_a_deposit_taken_back_stands_against_its_approval(self, sandbox_url: str) -> None:
        with opened(sandbox_url) as till:
            order = fresh("op")
            deposited(till, order)
            till.controls.deposit(orderId=order, kind="reversed")
            now = datetime.now(UTC)
            since, until = now - timedelta(hours=1), now + timedelta(hours=1)
            rows = till.ask(till.gateway.list_transactions(since, until))
        assert [row.amount.minor for row in rows] == [60_000, -60_000]

    def test_a_day_is_settled_from_the_next_on_page_by_page(
        self, sandbox_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(toss, "ROWS_PER_PAGE", 2)
        with opened(sandbox_url) as till:
            keys = [paid(till, fresh("op")).gateway_key for _ in range(3)]
            till.refund(keys[0], 10_000)
            today = seoul_date(datetime.now(UTC))
            assert till.ask(till.gateway.list_settlements(today)) == []
            till.controls.clock(DAY_S)
            try:
                rows = till.ask(till.gateway.list_settlements(today))
            finally:
                till.controls.reset()
        assert [row.amount.minor for row in rows] == [60_000, 60_000, 60_000, -10_000]
        assert all(row.pay_out == row.amount - row.fee for row in rows)
        assert all(row.paid_out_on > row.sold_on == today for row in rows)
        assert {row.method_kind for row in rows} == {"card"}
