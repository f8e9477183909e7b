"""A program of the shop and what it may do."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.programs import issuing
from opsapp.programs.rules import Scope

BY = Actor("cli", "tests")


class Program:
    """A client that sends its key, and a fresh idempotency key with each POST."""

    def __init__(self, client: FlaskClient, secret: str) -> None:
        self.client, self.secret, self.count = client, secret, 0

    def get(self, path: str, **query: Any) -> Any:
        told = {"query_string": query} if query else {}
        return self.client.get(f"/api/v1{path}", headers=self._headers(), **told)

    def post(self, path: str, body: Any, *, key: str | None = None) -> Any:
        self.count += 1
        headers = self._headers() | {"Idempotency-Key": key or f"key-{self.count}"}
        return self.client.post(f"/api/v1{path}", json=body, headers=headers)

    def patch(self, path: str, body: Any) -> Any:
        return self.client.patch(f"/api/v1{path}", json=body, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}


@pytest.fixture
def program_with(app: Flask) -> Callable[..., Program]:
    def make(*scopes: Scope) -> Program:
        with transaction():
            made = issuing.make("tests", [s.value for s in scopes or Scope], by=BY)
        return Program(app.test_client(), made.secret)

    return make


@pytest.fixture
def program(program_with: Callable[..., Program]) -> Program:
    return program_with()
