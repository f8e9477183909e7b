"""The same request twice is one request: its answer is kept and given again.

The answer is written in the transaction that does the work, so a crash leaves neither, and the
repeat does it all. While one is under way, an advisory lock turns its double away at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func

from opsapp.kernel.crypto import Unreadable, seal, unseal
from opsapp.kernel.db import bulk_insert, db, within_transaction
from opsapp.programs import queries
from opsapp.programs.errors import AnswerLost, KeyReused, RequestUnderWay
from opsapp.programs.models import ApiRequest

KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, by whom, under which idempotency key."""

    key_id: int
    idempotency_key: str
    method: str
    path: str
    body_hash: bytes

    @property
    def context(self) -> str:
        return f"api_requests.answer|{self.key_id}:{self.idempotency_key}"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: str


@within_transaction
def find_answer(asked: Asked) -> Answer | None:
    """What it was answered before; None: it is the caller's to do until the commit.

    Raises RequestUnderWay, KeyReused, AnswerLost.
    """
    is_ours, known = queries.take_request(asked.key_id, asked.idempotency_key)
    if known is not None:
        if (known.method, known.path, known.body_hash) != (
            asked.method,
            asked.path,
            asked.body_hash,
        ):
            raise KeyReused(field="Idempotency-Key")
        return _opened(asked, known)
    if not is_ours:
        raise RequestUnderWay
    return None


@within_transaction
def take_new(key_id: int, asked: Sequence[Asked]) -> list[Asked]:
    """Those of one program that are new, the caller's to do until the commit; none if its key has
    ended.
    """
    free = queries.take_requests(key_id, [each.idempotency_key for each in asked])
    return [each for each in asked if each.idempotency_key in free]


@within_transaction
def keep(asked: Asked, answer: Answer) -> None:
    """Raises RequestUnderWay if another one was faster: all of this one is to be undone."""
    keep_all({asked: answer})


@within_transaction
def keep_all(answers: Mapping[Asked, Answer]) -> None:
    """Raises RequestUnderWay if another one was faster at any of them."""
    rows = [
        {
            "key_id": asked.key_id,
            "idempotency_key": asked.idempotency_key,
            "method": asked.method,
            "path": asked.path,
            "body_hash": asked.body_hash,
            "answer_status": answer.status,
            "answer_sealed": seal(answer.body, context=asked.context),
        }
        for asked, answer in answers.items()
    ]
    written = bulk_insert(ApiRequest, rows, returning=("id",), or_nothing=True)
    if len(written) < len(rows):
        raise RequestUnderWay


@within_transaction
def purge() -> None:
    """Forget requests of more than a week ago."""
    old = func.clock_timestamp() - KEPT
    db.session.execute(delete(ApiRequest).where(ApiRequest.created_at < old))


def _opened(asked: Asked, known: ApiRequest) -> Answer:
    if known.answer_status is None or known.answer_sealed is None:
        raise AnswerLost
    try:
        return Answer(known.answer_status, unseal(known.answer_sealed, context=asked.context))
    except Unreadable as error:
        raise AnswerLost from error
