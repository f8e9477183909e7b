"""The table as it came with the program, and what the database itself refuses."""

from datetime import UTC, datetime

import psycopg
import pytest

from opsapp.failures import rules
from opsapp.failures.models import CLASSES, OUTCOMES, RETRY_MODES
from opsapp.failures.rules import Fault, fault_of
from opsapp.gateways import failures
from opsapp.gateways.values import FailureClass
from opsapp.payments.rules import CUSTOMER_CLASSES
from opsapp.recovery.rules import (
    GATEWAY_KEEPS_FAILING,
    SHIPPED,
    Failed,
    Next,
    decide,
    reason_of,
)

NOW = datetime(2026, 3, 10, 3, tzinfo=UTC)
SEED = failures.read_seed()
NOT_THEIRS = {"state_conflict", "configuration_error", "gateway_error"}


def test_the_migration_loads_every_code_of_the_file_with_its_scripts(owner):
    rows = owner.execute(
        "SELECT source, code, failure_class, subclass, retry_mode, outcome, hint_ko, hint_en, "
        "script_ko, script_en FROM failure_codes WHERE is_current AND version = 1"
    ).fetchall()
    assert len(rows) == 419
    assert {failures.Failure(*row) for row in rows} == set(SEED)


def test_every_subclass_has_one_class_one_retry_mode_and_one_outcome():
    kinds = {(f.subclass, f.failure_class, f.retry_mode, f.outcome) for f in SEED}
    assert len(kinds) == len({f.subclass for f in SEED}) == 60
    assert set(rules.read_meanings()) == {f.subclass for f in SEED}


def test_the_words_of_the_columns_are_those_of_the_program():
    assert set(CLASSES) == {str(c) for c in FailureClass} == {f.failure_class for f in SEED}
    assert set(RETRY_MODES) == {f.retry_mode for f in SEED}
    assert set(OUTCOMES) == {f.outcome for f in SEED}


@pytest.mark.parametrize("locale", ["ko", "en"])
def test_every_kind_tells_the_agent_whose_doing_it_is_what_to_say_and_what_to_do(locale):
    for scripts in failures.read_scripts().values():
        whose, say, do = scripts[locale == "en"].splitlines()
        headings = (whose.partition(":")[0], say.partition(":")[0], do.partition(":")[0])
        wanted = {"ko": ("귀책", "안내", "조치"), "en": ("Whose doing", "Say", "Do")}
        assert headings == wanted[locale]
        assert min(map(len, (say, do))) > 15
        has_korean = any("가" <= letter <= "힣" for letter in whose + say + do)
        assert has_korean is (locale == "ko")


def test_a_suspicion_of_fraud_is_never_said_to_the_customer():
    telling = ("사기", "도난", "분실", "의심", "부정", "이상 거래", "fraud", "stolen", "suspect")
    for failure in SEED:
        if failure.failure_class == FailureClass.FRAUD:
            said = failure.script_ko.splitlines()[1] + failure.script_en.splitlines()[1]
            spoken = (said + failure.hint_ko + failure.hint_en).lower()
            assert not [word for word in telling if word in spoken], failure.code


def test_what_must_be_inquired_first_tells_the_agent_not_to_charge():
    for failure in SEED:
        if failure.subclass in ("unknown_outcome", "already_paid", "duplicate_order", "in_flight"):
            assert "다시 청구하지 마세요" in failure.script_ko or "다시 청구하거나" in (
                failure.script_ko
            ), failure.code


@pytest.mark.parametrize("failure_class", list(FailureClass))
def test_only_the_customers_own_classes_count_as_failures_in_a_row(failure_class):
    modes = {f.retry_mode for f in SEED if f.failure_class == failure_class}
    assert modes
    for mode in modes:
        for before in range(3):
            reason = reason_of(failure_class, None)
            failed = Failed(NOW, failure_class, reason, mode, failures=before)
            after = decide(SHIPPED, failed)
            is_theirs = failure_class not in NOT_THEIRS
            assert is_theirs is (failure_class in CUSTOMER_CLASSES)
            assert after.failures == before + is_theirs
            if not is_theirs:
                assert after.next is not Next.FINAL
                assert after.ticket in (None, GATEWAY_KEEPS_FAILING)
                assert not after.method_is_dead


def test_whose_doing_a_failure_is_follows_from_its_class():
    assert {c: fault_of(c) for c in FailureClass} == {
        FailureClass.AUTHENTICATION: Fault.CUSTOMER,
        FailureClass.EXPIRED: Fault.CUSTOMER,
        FailureClass.CUSTOMER_CANCELLED: Fault.CUSTOMER,
        FailureClass.FRAUD: Fault.ISSUER,
        FailureClass.GATEWAY: Fault.GATEWAY,
        FailureClass.CONFIGURATION: Fault.OURS,
        FailureClass.CONFLICT: Fault.NOBODY,
    }


def test_a_version_is_never_rewritten_not_even_by_the_owner(owner):
    for change in (
        "UPDATE failure_codes SET outcome = 'unknown' WHERE id = 1",
        "UPDATE failure_codes SET hint_ko = 'x' WHERE id = 1",
        "DELETE FROM failure_codes WHERE id = 1",
        "TRUNCATE failure_codes",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            owner.execute(change)


def test_the_application_may_retire_a_version_and_nothing_else(owner):
    owner.execute("SET ROLE opsapp_app")
    for change in (
        "UPDATE failure_codes SET note = 'x'",
        "DELETE FROM failure_codes",
        "TRUNCATE failure_codes",
        "DELETE FROM failure_dictionary",
        "INSERT INTO failure_dictionary (id) VALUES (1)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(change)
    owner.execute("UPDATE failure_codes SET is_current = false WHERE id = 1")


def test_the_database_refuses_what_no_code_can_mean(owner):
    for values, refusal in (
        ("'new', 1, true, 'nonsense', 'later', 'not_charged'", "class_known"),
        ("'new', 1, true, 'gateway_error', 'sometimes', 'not_charged'", "retry_mode_known"),
        ("'new', 1, true, 'gateway_error', 'later', 'perhaps'", "outcome_known"),
        ("'new', 1, true, 'gateway_error', 'same_request', 'not_charged'", "definite_needs"),
        ("'READ_TIMEOUT', 2, true, 'gateway_error', 'later', 'not_charged'", "one_current"),
        ("'READ_TIMEOUT', 1, false, 'gateway_error', 'later', 'not_charged'", "version_key"),
    ):
        with pytest.raises(psycopg.IntegrityError, match=refusal):
            owner.execute(
                "INSERT INTO failure_codes (source, code, version, is_current, failure_class, "  # noqa: S608
                "retry_mode, outcome, subclass, hint_ko, hint_en, script_ko, script_en, "
                f"provenance, note, because, changed_by) VALUES ('transport', {values}, "
                "'x', '', '', '', '', '', '', '', '')"
            )
