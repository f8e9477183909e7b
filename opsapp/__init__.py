"""opsapp: build the application and nothing else."""

from pathlib import Path
from typing import Any

from flask import Flask

from opsapp import console, settings, webhooks
from opsapp.channels import registry as channels
from opsapp.gateways import registry
from opsapp.gateways.toss import TossGateway
from opsapp.kernel import diagnostics, events, jobs, leadership
from opsapp.kernel.db import db
from opsapp.payments import vetoing
from opsapp.reactions import REACTIONS, VETOES
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
    registry.connect([_toss(chosen)])
    channels.connect(channels.channels_of(chosen))
    events.install(REACTIONS)
    vetoing.install(VETOES)
    webhooks.install(app)
    console.install(app)
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


def _toss(chosen: Settings) -> TossGateway:
    """Bulk workers share what the gateway tolerates; a single process never takes it all."""
    return TossGateway(
        url=chosen.toss_url,
        secret_key=chosen.toss_secret_key.get_secret_value(),
        timeout_s=chosen.toss_timeout_s,
        inquiry_timeout_s=chosen.toss_inquiry_timeout_s,
        abreast_max=max(1, chosen.toss_abreast_max // chosen.bulk_worker_count),
        rate_per_s_max=chosen.toss_rate_per_s_max / chosen.bulk_worker_count,
    )
