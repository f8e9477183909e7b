import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from opsapp.failures import editing, loading, noting, queries, rules
from opsapp.failures.editing import CodeEdit, add_code, change_code
from opsapp.failures.errors import CodeIsKnown, CodeWasChanged
from opsapp.failures.models import FailureCode, UnmappedCode
from opsapp.failures.rules import Wording
from opsapp.gateways import failures
from opsapp.gateways.values import Outcome
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid, NotFound
from opsapp.kernel.log import AuditEntry
from opsapp.tickets import resolving
from opsapp.tickets.models import Ticket

ADMIN = Actor("staff", "1")
WORDING = Wording("다시 시도해 주세요.", "Please try again.", "안내하세요.", "Tell them.")


def edit(subclass: str, *, typed: str = "", because: str = "the bank told us", **words: str):
    wording = Wording(**{name: words.get(name, getattr(WORDING, name)) for name in WORDS})
    return CodeEdit(subclass, wording, because, typed)


WORDS = ("hint_ko", "hint_en", "script_ko", "script_en")


def current(source: str, code: str) -> FailureCode:
    with transaction():
        found = queries.find_current(source, code)
        db.session.expunge(found)
        return found


def change(source: str, code: str, wanted: CodeEdit, *, seen: int = 0) -> int:
    present = current(source, code)
    with transaction():
        return change_code(present.id, wanted, seen_version=seen or present.version, by=ADMIN)


def outcome(source: str, code: str) -> Outcome:
    with transaction():
        loading.refresh()
    return failures.classify([(source, code)]).outcome


def entries() -> list[AuditEntry]:
    with transaction():
        found = list(
            db.session.scalars(
                select(AuditEntry)
                .where(AuditEntry.subject_type == "failure_code")
                .order_by(AuditEntry.id)
            )
        )
        db.session.expunge_all()
        return found


def test_a_change_is_another_version_and_the_one_before_stays_as_it_was(app):
    before = current("toss_api", "REJECT_CARD_PAYMENT")
    change("toss_api", "REJECT_CARD_PAYMENT", edit("insufficient_funds"))
    with transaction():
        rows = queries.list_versions(before.id)
        assert [(r.version, r.is_current, r.subclass) for r in rows] == [
            (2, True, "insufficient_funds"), (1, False, "over_limit_or_funds"),
        ]  # fmt: skip
        assert rows[1].hint_ko == before.hint_ko
        names = [name for name, _, _ in rules.differences(rows[1], rows[0])]
    assert names == ["subclass", "hint_ko", "hint_en", "script_ko", "script_en"]
    [entry] = entries()
    assert (entry.action, entry.actor, entry.because) == (
        "failure_code.changed", "staff:1", "the bank told us",
    )  # fmt: skip


def test_class_retry_mode_and_outcome_come_with_the_kind(app):
    for subclass, meaning in rules.read_meanings().items():
        with transaction():
            present = queries.find_current("transport", "READ_TIMEOUT")
            wanted = edit(subclass, typed="READ_TIMEOUT", hint_en=f"for {subclass}")
            change_code(present.id, wanted, seen_version=present.version, by=ADMIN)
        now = current("transport", "READ_TIMEOUT")
        assert (now.failure_class, now.retry_mode, now.outcome) == (
            meaning.failure_class, meaning.retry_mode, meaning.outcome,
        )  # fmt: skip


def test_what_had_to_be_inquired_is_not_declared_safe_without_typing_the_code(app):
    for code in ("PROVIDER_ERROR", "ALREADY_PROCESSED_PAYMENT"):
        for typed in ("", code.lower(), code[:8]):
            with pytest.raises(Invalid) as refused:
                change("toss_api", code, edit("issuer_refused", typed=typed))
            assert refused.value.field == "typed_code"
        assert current("toss_api", code).version == 1
        assert outcome("toss_api", code) in (Outcome.UNKNOWN, Outcome.CONFLICT)


def test_a_typed_confirmation_lets_it_through_and_stands_out_in_the_log(app):
    change("toss_api", "PROVIDER_ERROR", edit("issuer_refused", typed="PROVIDER_ERROR"))
    assert outcome("toss_api", "PROVIDER_ERROR") is Outcome.DECLINED
    [entry] = entries()
    assert entry.action == "failure_code.declared_not_charged"
    assert (entry.detail["from_outcome"], entry.detail["to_outcome"]) == (
        "unknown", "not_charged",
    )  # fmt: skip


def test_the_careful_direction_needs_no_confirmation(app):
    change("toss_api", "REJECT_CARD_COMPANY", edit("gateway_temporary"))
    assert outcome("toss_api", "REJECT_CARD_COMPANY") is Outcome.UNKNOWN
    assert [entry.action for entry in entries()] == ["failure_code.changed"]


def test_an_edit_of_a_version_that_is_no_longer_the_latest_changes_nothing(app):
    change("toss_api", "REJECT_CARD_PAYMENT", edit("insufficient_funds"))
    with pytest.raises(CodeWasChanged, match="version 2"):
        change("toss_api", "REJECT_CARD_PAYMENT", edit("over_limit"), seen=1)
    assert current("toss_api", "REJECT_CARD_PAYMENT").subclass == "insufficient_funds"


def test_an_edit_that_says_nothing_is_refused_by_its_field(app):
    for wrong, field in (
        ({"subclass": "no_such_kind"}, "subclass"),
        ({"because": "no"}, "because"),
        ({"because": "x" * 301}, "because"),
        ({"hint_ko": " "}, "hint_ko"),
        ({"hint_en": "x" * 301}, "hint_en"),
        ({"script_ko": "줄\u0007"}, "script_ko"),
        ({"script_en": ""}, "script_en"),
    ):
        with pytest.raises(Invalid) as refused:
            change("toss_api", "REJECT_CARD_PAYMENT", edit(**{"subclass": "over_limit"} | wrong))
        assert refused.value.field == field
    assert current("toss_api", "REJECT_CARD_PAYMENT").version == 1


def test_an_edit_that_changes_nothing_makes_no_version(app):
    present = current("toss_api", "REJECT_CARD_PAYMENT")
    same = {name: getattr(present, name) for name in WORDS}
    with pytest.raises(Invalid, match="Nothing was changed"):
        change("toss_api", "REJECT_CARD_PAYMENT", edit(present.subclass, **same))
    with pytest.raises(NotFound), transaction():
        change_code(10**9, edit("over_limit"), seen_version=1, by=ADMIN)


def test_every_process_goes_by_the_change_from_its_next_look_on(app):
    assert outcome("toss_api", "PROVIDER_ERROR") is Outcome.UNKNOWN
    change("toss_api", "PROVIDER_ERROR", edit("issuer_refused", typed="PROVIDER_ERROR"))
    assert failures.classify([("toss_api", "PROVIDER_ERROR")]).outcome is Outcome.UNKNOWN
    assert outcome("toss_api", "PROVIDER_ERROR") is Outcome.DECLINED


def test_looking_costs_one_statement_and_the_table_is_read_only_when_it_changed(app, statements):
    with transaction():
        loading.refresh()
    statements.clear()
    with transaction():
        loading.refresh()
    assert len(statements) == 1
    change("toss_api", "REJECT_CARD_PAYMENT", edit("over_limit"))
    statements.clear()
    with transaction():
        loading.refresh()
    assert len(statements) == 2


def test_a_change_that_is_rolled_back_is_nobodys(app):
    present = current("toss_api", "REJECT_CARD_PAYMENT")
    with pytest.raises(RuntimeError), transaction():
        change_code(present.id, edit("gateway_temporary"), seen_version=1, by=ADMIN)
        raise RuntimeError
    assert outcome("toss_api", "REJECT_CARD_PAYMENT") is Outcome.DECLINED
    assert entries() == []


def test_two_versions_cannot_both_hold(app):
    with pytest.raises(IntegrityError), transaction():
        again = editing._row("toss_api", "REJECT_CARD_PAYMENT", edit("over_limit"))
        again.version, again.changed_by, again.provenance, again.note = 2, "x", "", ""
        db.session.add(again)
        db.session.flush()


def note(*codes: tuple[str, str, int | None]) -> None:
    with transaction():
        noting.note_unmapped(codes)


def unmapped() -> list[tuple]:
    columns = (UnmappedCode.source, UnmappedCode.code, UnmappedCode.times, UnmappedCode.attempt_id)
    with transaction():
        return [
            tuple(row) for row in db.session.execute(select(*columns).order_by(UnmappedCode.id))
        ]


def tickets() -> list[tuple[str, str]]:
    with transaction():
        rows = db.session.execute(select(Ticket.reason, Ticket.status).order_by(Ticket.id))
        return [tuple(row) for row in rows]


def test_an_unknown_code_is_counted_once_a_batch_and_alarms_once(app):
    note(("toss_api", "NEW", 7), ("toss_api", "NEW", 8), ("stripe_error", "NEW", 9))
    note(("toss_api", "NEW", 10), ("toss_api", "", 11), ("toss_api", "\x00", 12))
    assert sorted(unmapped()) == [("stripe_error", "NEW", 1, 9), ("toss_api", "NEW", 3, 10)]
    assert tickets() == [("unmapped_code", "open")] * 2


def test_a_batch_of_unknown_codes_is_one_statement_of_its_own(app, statements):
    note(("toss_api", "A", 1))
    statements.clear()
    note(*[("toss_api", f"CODE_{n}", n) for n in range(30)])
    assert len([sql for sql in statements if "unmapped_codes" in sql]) == 1


def test_a_code_whose_ticket_was_closed_without_an_answer_alarms_again(app):
    note(("toss_api", "NEW", 7))
    with transaction():
        ticket = db.session.scalars(select(Ticket)).one()
        from_id = ticket.id
    resolve(from_id)
    note(("toss_api", "NEW", 8))
    assert tickets() == [("unmapped_code", "resolved"), ("unmapped_code", "open")]


def id_of_new() -> int:
    return db.session.scalars(select(UnmappedCode.id).where(UnmappedCode.code == "NEW")).one()


def resolve(ticket_id: int) -> None:
    with transaction():
        resolving.resolve(ticket_id, because="looked at it", by=ADMIN)


def test_a_code_added_from_the_review_list_is_known_and_its_ticket_done(app):
    note(("toss_api", "NEW", 7))
    with pytest.raises(Invalid) as refused, transaction():
        add_code(id_of_new(), edit("over_limit"), by=ADMIN)
    assert refused.value.field == "typed_code"
    with transaction():
        add_code(id_of_new(), edit("over_limit", typed="NEW"), by=ADMIN)
    assert outcome("toss_api", "NEW") is Outcome.DECLINED
    assert tickets() == [("unmapped_code", "resolved")]
    with transaction():
        assert queries.list_unmapped() == []
    assert [entry.action for entry in entries()] == ["failure_code.declared_not_charged"]
    note(("toss_api", "NEW", 8))
    assert tickets() == [("unmapped_code", "resolved")], "a worker a moment behind alarms nobody"
    with pytest.raises(CodeIsKnown), transaction():
        add_code(id_of_new(), edit("gateway_temporary"), by=ADMIN)


def test_a_code_that_nobody_ever_answered_is_not_added(app):
    with pytest.raises(NotFound), transaction():
        add_code(10**9, edit("gateway_temporary"), by=ADMIN)
    with transaction():
        assert db.session.scalars(select(func.count()).select_from(FailureCode)).one() == 419
