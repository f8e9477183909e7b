"""Every POST is done once: the Idempotency-Key says which request it is."""

import hashlib
import re
from collections.abc import Callable
from contextlib import suppress

from flask import Response, request
from pydantic import BaseModel

from opsapp.api import errors
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.programs import answering
from opsapp.programs.answering import Answer, Asked
from opsapp.programs.errors import AnswerLost, KeyReused, RequestUnderWay

HEADER = "Idempotency-Key"
PATTERN = r"^[!-~]{1,100}$"
REPLAYED = "Idempotent-Replayed"

_KEY = re.compile(PATTERN)


def read_key() -> str:
    """Raises BadIdempotencyKey."""
    key = request.headers.get(HEADER, "").strip()
    if not _KEY.fullmatch(key):
        raise errors.BadIdempotencyKey(field=HEADER)
    return key


def digest() -> str:
    """The key as rooms take one: of a length and form of ours."""
    return hashlib.sha256(read_key().encode()).hexdigest()[:40]


def once(
    key_id: int, body: BaseModel | None, act: Callable[[], BaseModel], status: int
) -> Response:
    """What `act` answers, or what it answered before. A refusal is an answer too.

    Work and answer are written in one transaction: whatever stops it leaves neither.
    Raises BadIdempotencyKey, KeyReused, RequestUnderWay, AnswerLost.
    """
    told = "" if body is None else body.model_dump_json()
    asked = Asked(
        key_id, read_key(), request.method, request.path, hashlib.sha256(told.encode()).digest()
    )
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
    return Response(answer.body, status, mimetype="application/json")


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
