from flask import Blueprint, render_template

from opsapp import reactions
from opsapp.console.access import requires
from opsapp.insights import watching
from opsapp.kernel import jobs, leadership, turns
from opsapp.routing import queries as routing
from opsapp.staff.rules import Permission

routes = Blueprint("jobs", __name__, url_prefix="/jobs")


@routes.get("/")
@requires(Permission.VIEW)
def show() -> str:
    """Queues, workers and what waits: readable with Redis down."""
    return render_template("console/jobs/page.html", **_figures())


@routes.get("/figures")
@requires(Permission.VIEW, polled=True)
def show_figures() -> str:
    return render_template("console/jobs/_figures.html", **_figures())


def _figures() -> dict[str, object]:
    redis_answers = jobs.redis_answers()
    return {
        "redis_answers": redis_answers,
        "queues": watching.list_queues(reactions.WORK, redis_answers=redis_answers),
        "gateways": routing.list_pictures(),
        "backlog": turns.list_backlog(reactions.WORK),
        "failed": watching.list_failed_jobs(),
        "recent": watching.list_recent_jobs(),
        "schedulers": leadership.list_schedulers(),
        "leader_seen_at": leadership.leader_seen_at(),
    }
