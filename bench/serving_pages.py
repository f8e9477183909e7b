"""What gunicorn serves for `bench.pages`: the application, and Flask-Admin on the same table.

Both stand behind one middleware that tells what an answer cost inside the process: wall time, the
thread's own CPU, and SQL statements.
"""

import os
import time
from collections.abc import Callable, Iterable
from threading import local
from typing import Any

from flask import Flask
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import scoped_session, sessionmaker
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from opsapp.kernel.db import Base
from opsapp.payments.models import Payment
from opsapp.settings import current
from wsgi import app as main

TWIN = "/twin"
_seen = local()


def build() -> Callable[..., Iterable[bytes]]:
    event.listen(Engine, "before_cursor_execute", _count)
    return _Measured(DispatcherMiddleware(main.wsgi_app, {TWIN: _twin().wsgi_app}))


def _count(*_event: Any) -> None:
    _seen.statements = getattr(_seen, "statements", 0) + 1


def _twin() -> Flask:
    """Flask-Admin as its manual has it, with the columns and the filters of our list."""
    app = Flask("twin")
    app.config["SECRET_KEY"] = "twin"  # noqa: S105 - nobody signs in to it
    url = current().database_url.replace("postgresql://", "postgresql+psycopg://")
    session = scoped_session(sessionmaker(create_engine(url)))
    app.teardown_appcontext(lambda _error: session.remove())
    admin = Admin(app, name="twin", url="/")

    class Plain(ModelView):  # type: ignore[misc]
        can_view_details = True
        page_size = 30
        column_default_sort = ("requested_at", True)
        column_list = (
            "ref", "requested_at", "customer_id", "title", "method_kind", "amount_minor", "status",
        )  # fmt: skip
        column_filters = ("status", "method_kind", "gateway_name")
        column_searchable_list = ("ref",)

    class Simple(Plain):
        simple_list_pager = True

    assert Payment.__table__ in Base.metadata.sorted_tables
    admin.add_view(Plain(Payment, session, endpoint="plain", url="plain"))
    admin.add_view(Simple(Payment, session, endpoint="simple", url="simple"))
    return app


class _Measured:
    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        told: list[Any] = []
        _seen.statements = 0
        began, cpu = time.perf_counter(), time.thread_time()
        answer = self.app(environ, lambda *head: told.append(head))
        body = b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()
        wall, spent = time.perf_counter() - began, time.thread_time() - cpu
        status, headers = told[0][:2]
        headers.append(("X-Wall-Ms", f"{wall * 1000:.2f}"))
        headers.append(("X-Cpu-Ms", f"{spent * 1000:.2f}"))
        headers.append(("X-Statements", str(_seen.statements)))
        headers.append(("X-Worker", str(os.getpid())))
        start_response(status, headers)
        return [body]


app = build()
