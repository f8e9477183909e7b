"""opsapp: build the application and nothing else."""

from pathlib import Path
from typing import Any

from flask import Flask

from opsapp import console, portal, settings, webhooks
from opsapp.channels import registry as channels
from opsapp.customers import vetoing as customers_vetoing
from opsapp.gateways import registry
from opsapp.kernel import diagnostics, events, jobs, leadership
from opsapp.kernel.db import db
from opsapp.payments import vetoing
from opsapp.reactions import METHOD_USERS, REACTIONS, VETOES
from opsapp.settings import Settings

PACKAGE = Path(__file__).parent


def create_app(chosen: Settings | None = None, *, sole_connection: bool = False) -> Flask:
    """The application, wired. Nothing is connected to before the first use.

    `sole_connection` is for a process that leads by holding one (kernel.leadership).
    """
    chosen = chosen or Settings()
    settings.use(chosen)
    diagnostics.configure()
    app = Flask(__name__, template_folder=_folder("templates"), static_folder=_folder("static"))
    app.config["SECRET_KEY"] = chosen.secret_key.get_secret_value()
    app.config["SQLALCHEMY_DATABASE_URI"] = chosen.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = _engine_options(chosen, sole=sole_connection)
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
    return app


def _folder(name: str) -> str:
    """Inside the package when it was installed from a wheel, beside it in a checkout."""
    packed = PACKAGE / f"_{name}"
    return str(packed if packed.is_dir() else PACKAGE.parent / name)


def _engine_options(chosen: Settings, *, sole: bool) -> dict[str, Any]:
    session = f"-c role={chosen.database_role or 'none'} -c timezone=UTC"
    if not sole:
        arguments = {"options": session}
        return {"pool_pre_ping": True, "hide_parameters": True, "connect_args": arguments}
    options = f"{session} {leadership.SESSION_OPTIONS}"
    arguments = {**leadership.CONNECT_ARGS, "options": options}
    return {**leadership.ENGINE_OPTIONS, "connect_args": arguments}
