"""Tallying: what answers say about the gateways themselves opens and closes their circuits."""

from collections.abc import Sequence
from datetime import timedelta

from opsapp.gateways.values import Answer
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.events import announce
from opsapp.routing import keeping, rules
from opsapp.routing.events import CircuitFact, GatewaysPaused
from opsapp.routing.resting import believe, is_believed_calm
from opsapp.routing.rules import Heard, Kind
from opsapp.routing.states import CircuitStatus
from opsapp.settings import current

Asked = tuple[str, str, Answer]  # the gateway's name, whose request it was, the answer


@within_transaction
def tally(answers: Sequence[Asked], *, by: Actor) -> None:
    """Count a batch of answers. Good answers of gateways that are well cost no statement.

    The subject of a request ("attempt 7") tells three refused orders from one asked three times.
    """
    heard = _by_gateway(answers)
    loud = {
        name: said
        for name, said in heard.items()
        if not is_believed_calm(name) or any(each.kind is not Kind.OK for each in said)
    }
    if not loud:
        return
    taken = keeping.take(loud.keys())
    rest_s = current().gateway_rest_s
    after = [
        rules.after_answers(taken.of(name), said, taken.now, first_rest_s=rest_s)
        for name, said in loud.items()
    ]
    moved = keeping.keep(taken, after, by=by)
    for circuit in after:
        believe(circuit, taken.now)
    paused = [circuit for circuit in moved if circuit.status == CircuitStatus.PAUSED]
    if paused:
        facts = [CircuitFact(each.id, each.gateway_name, each.because) for each in paused]
        announce(GatewaysPaused(tuple(facts)))


def _by_gateway(answers: Sequence[Asked]) -> dict[str, list[Heard]]:
    slow = timedelta(seconds=current().gateway_slow_s)
    heard: dict[str, list[Heard]] = {}
    for name, subject, answer in answers:
        if (said := rules.hear(subject, answer, slow=slow)) is not None:
            heard.setdefault(name, []).append(said)
    return heard
