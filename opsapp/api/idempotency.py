"""Every POST is done once: the Idempotency-Key says which request it is."""

import hashlib
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flask import Response, request
from pydantic import BaseModel

from opsapp.api import errors
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.log import Origin
from opsapp.programs import answering
from opsapp.programs.answering import Answer, Asked
from opsapp.programs.errors import AnswerLost, KeyReused, RequestUnderWay

HEADER = "Idempotency-Key"
PATTERN = r"^[!-~]{1,100}$"
REPLAYED = "Idempotent-Replayed"

_KEY = re.compile(PATTERN)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that may be answered in one transaction with others."""

    asked: Asked
    body: Any
    by: Actor
    origin: Origin


ActTogether = Callable[[Sequence[Call]], Sequence[BaseModel | None]]


def read_key() -> str:
    """Raises BadIdempotencyKey."""
    key = request.headers.get(HEADER, "").strip()
    if not _KEY.fullmatch(key):
        raise errors.BadIdempotencyKey(field=HEADER)
    return key


def digest() -> str:
    """The key as rooms take one: of a length and form of ours."""
    return hashlib.sha256(read_key().encode()).hexdigest()[:40]


def read_asked(key_id: int, body: BaseModel | None) -> Asked:
    """Raises BadIdempotencyKey."""
    told = "" if body is None else body.model_dump_json()
    digest = hashlib.sha256(told.encode()).digest()
    return Asked(key_id, read_key(), request.method, request.path, digest)


def once(asked: Asked, act: Callable[[], BaseModel], status: int) -> Response:
    """What `act` answers, or what it answered before. A refusal is an answer too.

    Work and answer are written in one transaction: whatever stops it leaves neither.
    Raises KeyReused, RequestUnderWay, AnswerLost.
    """
    try:
        with transaction():
            if (known := answering.find_answer(asked)) is not None:
                return _again(known)
            answer = Answer(status, act().model_dump_json())
            answering.keep(asked, answer)
    except (RequestUnderWay, KeyReused, AnswerLost):
        raise
    except OpsError as refusal:
        return _refused(asked, refusal)
    return first(answer)


def once_together(calls: Sequence[Call], act: ActTogether, status: int) -> list[Answer | None]:
    """What `act` answers to the calls of one program that are new, all in one transaction.

    None for what it leaves, and for what was known before. Raises what `act` raises, and
    RequestUnderWay: all of it is undone then.
    """
    chosen: dict[str, Call] = {}
    for call in calls:
        chosen.setdefault(call.asked.idempotency_key, call)
    with transaction():
        free = answering.take_new(calls[0].asked.key_id, [c.asked for c in chosen.values()])
        new = [chosen[asked.idempotency_key] for asked in free]
        told = act(new) if new else []
        answers = {
            id(call): Answer(status, answer.model_dump_json())
            for call, answer in zip(new, told, strict=True)
            if answer is not None
        }
        answering.keep_all({c.asked: answers[id(c)] for c in new if id(c) in answers})
    return [answers.get(id(call)) for call in calls]


def first(answer: Answer) -> Response:
    return Response(answer.body, answer.status, mimetype="application/json")


def _refused(asked: Asked, refusal: OpsError) -> Response:
    """Kept as well, except what will pass by itself."""
    response = errors.refuse(refusal)
    if response.status_code < 500 and response.status_code != 429:
        with suppress(RequestUnderWay), transaction():
            answering.keep(asked, Answer(response.status_code, response.get_data(as_text=True)))
    return response


def _again(known: Answer) -> Response:
    if known.status < 400:
        response = Response(known.body, known.status, mimetype="application/json")
    else:
        response = errors.respond(known.status, known.body)
    response.headers[REPLAYED] = "true"
    return response
