"""`opsapp up`: the whole system as one supervised tree of processes on this machine."""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from opsapp.cli import environment, knocking
from opsapp.kernel.embedded import (
    Server,
    free_port,
    is_port_free,
    prepare_postgres,
    prepare_redis,
    refuse_without_hangul,
)
from opsapp.kernel.errors import OpsError
from opsapp.kernel.processes import ProcessSpec, StopRequested, Supervisor
from opsapp.kernel.wheels import place_for, write_private
from opsapp.routing.queries import list_gateway_names_of

ACCOUNT_COLUMNS = {
    "role": "role",
    "email": "e-mail",
    "password": "password",
    "totp_secret": "second factor (TOTP secret)",
}
WEB_PROCESSES = 2
WEB_THREADS = 16  # most of them wait: what they ask for is written together
# The sandbox answers within a second, so a dead worker's lease may end soon, and it tolerates
# more calls in flight than a vendor's test environment.
SANDBOX_LIMITS = {
    "OPSAPP_GATEWAY_TIMEOUT_S": "8",
    "OPSAPP_GATEWAY_INQUIRY_TIMEOUT_S": "8",
    "OPSAPP_LEASE_MARGIN_S": "2",
    "OPSAPP_TOSS_ABREAST_MAX": "512",
}
# A worker asked to stop finishes the job in hand; one call to a gateway is the longest part of it.
WORKER_STOP_WITHIN_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What was asked for on the command line."""

    port: int
    data_dir: Path
    bulk_worker_count: int
    ready_file: Path | None
    with_demo: bool

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the parts answer, and the servers of our own among them."""

    database_url: str
    redis_url: str
    sandbox_port: int | None
    servers: tuple[Server, ...]

    @property
    def sandbox_url(self) -> str | None:
        return None if self.sandbox_port is None else f"http://127.0.0.1:{self.sandbox_port}"


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Holds the database, keys and logs.  [default: .data]",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Processes that share a billing run, for each gateway.",
)
@click.option(
    "--ready-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Written with addresses, keys and pids once everything answers.",
)
@click.option("--demo/--no-demo", "with_demo", default=True, help="Whether to fill in demo data.")
@click.pass_obj
def up(
    parent_data_dir: Path,
    *,
    port: int,
    data_dir: Path | None,
    workers: int,
    ready_file: Path | None,
    with_demo: bool,
) -> None:
    """Start everything and keep it running until Ctrl-C."""
    wishes = Wishes(
        port=port,
        data_dir=(data_dir or parent_data_dir).absolute(),
        bulk_worker_count=workers,
        ready_file=ready_file,
        with_demo=with_demo,
    )
    if not is_port_free(port):
        raise click.ClickException(
            f"Port {port} is in use: stop what listens there, or name another one with --port."
        )
    try:
        with _alone_in(wishes.data_dir):
            _run(wishes)
    except OpsError as error:
        raise click.ClickException(str(error)) from error


def _run(wishes: Wishes) -> None:
    supervisor = Supervisor(log_dir=wishes.data_dir / "logs")
    with supervisor.signals():
        try:
            _bring_up(wishes, supervisor)
            supervisor.watch()
        except StopRequested:
            pass
        finally:
            if wishes.ready_file is not None:
                wishes.ready_file.unlink(missing_ok=True)
            supervisor.stop()


def _bring_up(wishes: Wishes, supervisor: Supervisor) -> None:
    if wishes.ready_file is not None:
        wishes.ready_file.unlink(missing_ok=True)
    console = Console(stderr=True, highlight=False)
    addresses = _addresses(wishes)
    if addresses.servers:
        names = " and ".join(server.spec.name for server in addresses.servers)
        console.print(f"Starting {names} in {wishes.data_dir}")
    shared = _shared_environment(wishes, addresses)
    child = {**os.environ, **shared}
    environment.save(wishes.data_dir, shared)
    supervisor.start(*(server.spec for server in addresses.servers))
    if any(server.spec.name == "postgres" for server in addresses.servers):
        refuse_without_hangul(addresses.database_url)
    console.print("Bringing the tables up to date")
    _command(child, "migrate")
    accounts = _accounts(child)
    console.print("Starting the web server, the schedulers and the workers")
    supervisor.start(*_sandbox(wishes, addresses, child))
    supervisor.start(_web(wishes, child), *_workers(wishes, addresses, child))
    if addresses.sandbox_url is not None:
        knocking.put_json(
            f"{addresses.sandbox_url}/_sandbox/webhooks", {"url": f"{wishes.url}/webhooks/toss"}
        )
    tell = partial(_write_ready_file, wishes, addresses, shared, accounts, supervisor)
    tell()
    supervisor.on_change = tell
    _greet(wishes, accounts)


@contextlib.contextmanager
def _alone_in(data_dir: Path) -> Iterator[None]:
    """Hold the data folder. Raises EmbeddedError (not writable) and ClickException (taken)."""
    place_for(data_dir)
    with (data_dir / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise click.ClickException(
                f"Another `opsapp up` (pid {lock.read().strip()}) uses {data_dir}: stop it, or "
                "name another folder with --data-dir."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _addresses(wishes: Wishes) -> Addresses:
    """Given ones where the environment names them, our own otherwise."""
    database_url, redis_url = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
    postgres = prepare_postgres(wishes.data_dir) if database_url is None else None
    redis = prepare_redis(wishes.data_dir) if redis_url is None else None
    is_gateway_given = {"OPSAPP_TOSS_URL", "OPSAPP_TOSS_SECRET_KEY"} & os.environ.keys()
    return Addresses(
        database_url=database_url or (postgres.url if postgres else ""),
        redis_url=redis_url or (redis.url if redis else ""),
        sandbox_port=None if is_gateway_given else free_port(),
        servers=tuple(server for server in (postgres, redis) if server is not None),
    )


def _shared_environment(wishes: Wishes, addresses: Addresses) -> dict[str, str]:
    """What the children get on top of ours; a value from outside has precedence."""
    chosen = environment.secrets_of(wishes.data_dir) | {
        "DATABASE_URL": addresses.database_url,
        "REDIS_URL": addresses.redis_url,
        "OPSAPP_MODE": "demo",
        "OPSAPP_PUBLIC_URL": wishes.url,
        "OPSAPP_ANCHORS_DIR": str(wishes.data_dir / "anchors"),
        "OPSAPP_BULK_WORKER_COUNT": str(wishes.bulk_worker_count),
    }
    if addresses.sandbox_url is not None:
        chosen["OPSAPP_TOSS_URL"] = addresses.sandbox_url
        chosen["OPSAPP_TOSS_WINDOW_URL"] = f"{addresses.sandbox_url}/_sandbox/window"
        chosen |= SANDBOX_LIMITS
    return {name: os.environ.get(name, value) for name, value in chosen.items()} | {
        "OPSAPP_DATA_DIR": str(wishes.data_dir),
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
    }


def _command(child: dict[str, str], *words: str) -> str:
    """Run an `opsapp` command to its end and give back what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "opsapp.cli", *words],
        env=child,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # Ctrl-C is for us: what was begun is finished, then we stop
    )
    if done.returncode != 0:
        told = done.stderr.strip().removeprefix("Error: ") or done.stdout.strip()
        raise click.ClickException(told or f"`opsapp {' '.join(words)}` failed without a word.")
    return done.stdout


def _accounts(child: dict[str, str]) -> list[dict[str, str | None]]:
    """One sign-in per role; none in production, where staff is invited."""
    if child["OPSAPP_MODE"] == "production":
        return []
    printed = _command(child, "staff", "seed", "--json")
    accounts: list[dict[str, str | None]] = json.loads(printed)
    return accounts


def _sandbox(wishes: Wishes, addresses: Addresses, child: dict[str, str]) -> list[ProcessSpec]:
    if addresses.sandbox_port is None:
        return []
    folder = wishes.data_dir / "sandbox"
    port = ("--port", str(addresses.sandbox_port))
    return [
        ProcessSpec(
            name="sandbox",
            argv=(sys.executable, "-m", "sandbox", *port, "--data", str(folder)),
            env=child,
            ready=partial(knocking.answers, f"{addresses.sandbox_url}/_sandbox/health"),
        )
    ]


def _web(wishes: Wishes, child: dict[str, str]) -> ProcessSpec:
    """Ready when /readyz is: database, Redis, migrations and a leading scheduler."""
    return ProcessSpec(
        name="web",
        argv=(
            *(sys.executable, "-m", "gunicorn", "wsgi:app", "--no-control-socket"),
            *("--bind", f"127.0.0.1:{wishes.port}", "--worker-class", "gthread"),
            *("--workers", str(WEB_PROCESSES), "--threads", str(WEB_THREADS)),
            *("--graceful-timeout", "10"),
        ),
        env=child,
        ready=partial(knocking.answers, f"{wishes.url}/readyz"),
    )


def _workers(wishes: Wishes, addresses: Addresses, child: dict[str, str]) -> list[ProcessSpec]:
    def worker(kind: str, *, group: str = "worker", number: int | None = None) -> ProcessSpec:
        return ProcessSpec(
            name=kind if number is None else f"{kind}-{number}",
            group=group,
            argv=(sys.executable, "-m", "workers", kind),
            env=child,
            stop_within_s=WORKER_STOP_WITHIN_S,
            once=kind == "demo",
        )

    specs = [
        worker("scheduler", group="scheduler", number=1),
        worker("scheduler", group="scheduler", number=2),
        worker("relay", group="relay"),
    ]
    for gateway in list_gateway_names_of(environment.settings_of(child)):
        specs.append(worker(f"charges.{gateway}"))
        bulk = range(1, wishes.bulk_worker_count + 1)
        specs += [worker(f"charges_bulk.{gateway}", number=number) for number in bulk]
    specs += [worker("notices"), worker("bulk"), worker("exports"), worker("webhooks_out")]
    # Demo data makes charges: never against somebody's real gateway.
    if wishes.with_demo and addresses.sandbox_port is not None and child["OPSAPP_MODE"] == "demo":
        specs.append(worker("demo", group="demo"))
    return specs


def _write_ready_file(
    wishes: Wishes,
    addresses: Addresses,
    shared: dict[str, str],
    accounts: list[dict[str, str | None]],
    supervisor: Supervisor,
) -> None:
    if wishes.ready_file is None:
        return
    pids = supervisor.pids()
    one_each: dict[str, Any] = {
        name: next(iter(pids.get(name, [])), None)
        for name in ("web", "sandbox", "postgres", "redis")
    }
    several = {name: pids.get(name, []) for name in ("scheduler", "relay", "worker")}
    content = {
        "url": wishes.url,
        "sandbox_url": addresses.sandbox_url,
        "database_url": addresses.database_url,
        "redis_url": addresses.redis_url,
        "api_key": shared["OPSAPP_API_KEY"],
        "pids": one_each | several,
        "accounts": accounts,
    }
    wishes.ready_file.parent.mkdir(parents=True, exist_ok=True)
    write_private(wishes.ready_file, json.dumps(content, indent=1))


def _greet(wishes: Wishes, accounts: list[dict[str, str | None]]) -> None:
    console = Console()
    console.print(f"\n[bold]opsapp[/bold] answers at [link]{wishes.url}/console/[/link]")
    if accounts:
        columns = [key for key in ACCOUNT_COLUMNS if any(account[key] for account in accounts)]
        table = Table(*(ACCOUNT_COLUMNS[key] for key in columns))
        for account in accounts:
            table.add_row(*(account[key] or "-" for key in columns))
        console.print(table)
    console.print(f"Logs: {wishes.data_dir / 'logs'}   Stop: Ctrl-C")
