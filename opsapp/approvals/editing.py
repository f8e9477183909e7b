"""Editing: a new version of the policy takes effect at once; what waits already keeps its own."""

from opsapp.approvals import queries, rules
from opsapp.approvals.errors import MoneyPolicyChanged
from opsapp.approvals.models import MoneyPolicy
from opsapp.approvals.rules import Terms
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import bulk_insert, within_transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.log import Entry, record


@within_transaction
def save_policy(terms: Terms, *, seen_version: int, because: str, by: Actor) -> int:
    """Returns the new version. Raises Invalid, MoneyPolicyChanged."""
    reason = rules.check_reason(because)
    rules.check(terms)
    queries.lock_policies()
    before = queries.get_policy()
    if before.version != seen_version:
        raise MoneyPolicyChanged(version=before.version)
    changes = rules.differences(before.terms, terms)
    if not changes:
        raise Invalid(field="because", reason="Nothing was changed.")
    version = before.version + 1
    row = {
        "version": version,
        "terms": rules.as_json(terms),
        "because": reason,
        "made_by": str(by),
    }
    bulk_insert(MoneyPolicy, [row])
    entry = Entry(
        "money_policy.activated",
        "money_policy",
        version,
        because=reason,
        detail={name: [then, now] for name, then, now in changes},
    )
    record(entry, by=by)
    return version
