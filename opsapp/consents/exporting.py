"""Exporting: all that one customer has agreed to, as a file for them."""

import csv
import io
import json
from dataclasses import asdict, dataclass
from typing import Any

from opsapp.consents import agreeing, queries, rules
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.locale import kst
from opsapp.kernel.log import Entry, record

# A spreadsheet would calculate a cell that begins so.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class ExportedConsent:
    """Times as text in Asia/Seoul; `text` is empty where it was agreed to elsewhere."""

    number: int
    kind: str
    subject: str
    terms: str
    agreed_at: str
    channel: str
    network: str
    locale: str
    title: str
    text: str
    text_sha256: str
    is_text_proved: bool
    withdrawn_at: str
    withdrawn_because: str


@within_transaction
def export_consents(customer_id: int, *, because: str, by: Actor) -> list[ExportedConsent]:
    """Who looked is in the log. Raises Invalid."""
    reason = rules.check_reason(because)
    exported = [_exported(*row) for row in queries.list_of_customer(customer_id)]
    entry = Entry(
        "customer.consents_exported",
        "customer",
        customer_id,
        because=reason,
        detail={"count": len(exported)},
    )
    record(entry, by=by)
    return exported


def as_json(consents: list[ExportedConsent]) -> str:
    return json.dumps([asdict(each) for each in consents], ensure_ascii=False, indent=2)


def as_csv(consents: list[ExportedConsent]) -> str:
    """With a byte order mark, as spreadsheets want it for Korean."""
    sheet = io.StringIO()
    writer = csv.writer(sheet)
    names = [*ExportedConsent.__slots__]
    writer.writerow(names)
    writer.writerows([[_cell(getattr(each, name)) for name in names] for each in consents])
    return "\ufeff" + sheet.getvalue()


def _cell(value: Any) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _exported(consent: Any, terms: Any, withdrawal: Any) -> ExportedConsent:
    shown = agreeing.show_again(consent, terms) if terms is not None else None
    return ExportedConsent(
        number=consent.id,
        kind=consent.kind,
        subject=f"{consent.subject_type} {consent.subject_id}",
        terms=consent.terms_label,
        agreed_at=kst(consent.agreed_at),
        channel=consent.channel,
        network=consent.address,
        locale=consent.locale,
        title=shown.title if shown else "",
        text=shown.text if shown else "",
        text_sha256=consent.text_hash,
        is_text_proved=shown is not None and shown.hash == consent.text_hash,
        withdrawn_at=kst(withdrawal.withdrawn_at) if withdrawal else "",
        withdrawn_because=withdrawal.because if withdrawal else "",
    )
