"""opsapp: build the application and nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask

from opsapp import api, console, portal, settings, webhooks
from opsapp.channels import registry as channels
from opsapp.customers import vetoing as customers_vetoing
from opsapp.gateways import registry
from opsapp.kernel import diagnostics, events, jobs, leadership
from opsapp.kernel.db import db
from opsapp.payments import vetoing
from opsapp.reactions import METHOD_USERS, REACTIONS, VETOES
from opsapp.settings import Settings

PACKAGE = Path(__file__).parent

# Planned anew each time: a prepared plan that was made while a table was small goes on reading all
# of it long after it has grown. (plan_cache_mode would plan each check of a foreign key anew too.)
_PLANNING: dict[str, Any] = {"prepare_threshold": None}


def create_app(
    chosen: Settings | None = None,
    *,
    sole_connection: bool = False,
    pool: Mapping[str, Any] | None = None,
) -> Flask:
    """The application, wired. Nothing is connected to before the first use.

    `sole_connection` is for a process that leads by holding one (kernel.leadership); `pool` names
    engine options that differ from those of every other process.
    """
    chosen = chosen or Settings()
    settings.use(chosen)
    diagnostics.configure()
    app = Flask(__name__, template_folder=_folder("templates"), static_folder=_folder("static"))
    app.config["SECRET_KEY"] = chosen.secret_key.get_secret_value()
    app.config["SQLALCHEMY_DATABASE_URI"] = chosen.database_url
    options = _engine_options(chosen, sole=sole_connection)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options | dict(pool or {})
    db.init_app(app)
    jobs.connect(chosen.redis_url)
    registry.connect(registry.gateways_of(chosen))
    channels.connect(channels.channels_of(chosen))
    events.install(REACTIONS)
    vetoing.install(VETOES)
    customers_vetoing.install(METHOD_USERS)
    webhooks.install(app)
    console.install(app)
    portal.install(app)
    api.install(app)
    return app


def _folder(name: str) -> str:
    """Inside the package when it was installed from a wheel, beside it in a checkout."""
    packed = PACKAGE / f"_{name}"
    return str(packed if packed.is_dir() else PACKAGE.parent / name)


def _engine_options(chosen: Settings, *, sole: bool) -> dict[str, Any]:
    session = f"-c role={chosen.database_role or 'none'} -c timezone=UTC"
    if not sole:
        arguments = {"options": session, **_PLANNING}
        return {"pool_pre_ping": True, "hide_parameters": True, "connect_args": arguments}
    options = f"{session} {leadership.SESSION_OPTIONS}"
    arguments = {**leadership.CONNECT_ARGS, **_PLANNING, "options": options}
    return {**leadership.ENGINE_OPTIONS, "connect_args": arguments}
