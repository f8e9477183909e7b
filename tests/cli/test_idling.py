import psycopg

from tests.cli.conftest import Run

JOB = "INSERT INTO outbox_jobs (name, queue, timeout_s, arguments) VALUES ('a.b', 'q', 1, '{}')"


def test_an_installation_without_work_is_idle(opsapp: Run) -> None:
    done = opsapp("idle", "--timeout", "5")
    assert (done.exit_code, done.output) == (0, "idle\n")


def test_what_is_left_at_the_time_out_is_listed(opsapp: Run, owner: psycopg.Connection) -> None:
    owner.execute(JOB)
    owner.execute(JOB)
    done = opsapp("idle", "--timeout", "0")
    assert done.exit_code == 1
    assert "outbox_undelivered: 2" in done.output


def test_an_installation_whose_demo_has_not_arrived_is_not_idle(
    opsapp: Run, owner: psycopg.Connection
) -> None:
    note = (
        "INSERT INTO audit_entries (xid, actor, action, subject_type, subject_id, because)"
        " VALUES ('9999999999', 'worker:demo', %s, 'demo', 1, '')"
    )
    owner.execute(note, ["demo.begun"])
    assert "demo_running" in opsapp("idle", "--timeout", "0").output
    owner.execute(note, ["demo.arrived"])
    assert opsapp("idle", "--timeout", "0").exit_code == 0


def test_a_time_out_that_is_none_is_refused(opsapp: Run) -> None:
    assert opsapp("idle", "--timeout", "-1").exit_code == 2
    assert opsapp("idle", "--timeout", "soon").exit_code == 2
