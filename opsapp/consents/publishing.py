"""Publishing: another version of what people are asked to agree to."""

from dataclasses import asdict
from datetime import date

from opsapp.consents import queries, rules
from opsapp.consents.errors import TermsWereChanged
from opsapp.consents.models import Terms
from opsapp.consents.rules import KINDS, Wording
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.log import Entry, record


@within_transaction
def publish_terms(
    kind: str,
    wording: Wording,
    *,
    effective_from: date,
    because: str,
    seen_version: int,
    by: Actor,
) -> int:
    """The id of the new version; what was agreed to before stays as it was.

    `seen_version`: the latest one that the person had before their eyes. Raises Invalid,
    TermsWereChanged.
    """
    if kind not in KINDS:
        raise Invalid(field="kind", reason=f"is not one of {', '.join(KINDS)}.")
    checked = rules.check_wording(kind, wording)
    today = clock.seoul_date(clock.now())
    versions = queries.list_versions(kind)
    latest = versions[0] if versions else None
    if (
        latest is not None
        and Wording(**{k: getattr(latest, k) for k in asdict(checked)}) == checked
    ):
        raise Invalid(field="text_ko", reason="Nothing was changed.")
    row = asdict(checked) | {
        "kind": kind,
        "version": seen_version + 1,
        "hash_ko": rules.hash_of(checked.title_ko, checked.text_ko),
        "hash_en": rules.hash_of(checked.title_en, checked.text_en),
        "effective_from": rules.check_effective_from(effective_from, today=today),
        "because": rules.check_reason(because),
        "made_by": str(by),
    }
    is_stale = latest is not None and latest.version != seen_version
    written = [] if is_stale else bulk_insert(Terms, [row], returning=("id",), or_nothing=True)
    if not written:
        raise TermsWereChanged(version=queries.list_versions(kind)[0].version)
    terms_id: int = written[0].id
    detail = {"kind": kind, "version": seen_version + 1, "from": effective_from.isoformat()}
    record(
        Entry("terms.published", "terms", terms_id, because=row["because"], detail=detail), by=by
    )
    return terms_id
