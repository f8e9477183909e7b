"""The environment that all processes of one `opsapp up` share, and its secrets.

`up` writes it into the data folder; a command in another terminal reads it there, unless it was
given the DATABASE_URL of another installation.
"""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opsapp.kernel.wheels import write_private
from opsapp.settings import Settings

ENVIRONMENT_FILE = "env.json"
SECRETS_FILE = "secrets.json"


def load(data_dir: Path) -> None:
    """Take on the environment of the instance in `data_dir`; what is set outside stays.

    A DATABASE_URL that names another database belongs to another installation, whose keys are
    not ours to guess: then nothing is taken on.
    """
    file = data_dir / ENVIRONMENT_FILE
    if not file.exists():
        return
    saved = json.loads(file.read_text())
    if os.environ.get("DATABASE_URL", saved["DATABASE_URL"]) == saved["DATABASE_URL"]:
        for name, value in saved.items():
            os.environ.setdefault(name, value)


def save(data_dir: Path, environment: Mapping[str, str]) -> None:
    """Readable by its owner only: it holds passwords and keys."""
    write_private(data_dir / ENVIRONMENT_FILE, json.dumps(environment, indent=1))


def secrets_of(data_dir: Path) -> dict[str, str]:
    """The keys of this installation by their variable's name, made once.

    They are what makes the encrypted columns readable: losing the file loses those.
    """
    file = data_dir / SECRETS_FILE
    known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    complete = _fresh_secrets() | known
    if complete != known:
        write_private(file, json.dumps(complete, indent=1))
    return complete


def settings_of(environment: Mapping[str, str]) -> Settings:
    """What a child with this environment will be set to; ours is left as it is."""
    named = {
        name: environment.get(str(field.validation_alias or f"OPSAPP_{name.upper()}"))
        for name, field in Settings.model_fields.items()
    }
    known: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    return Settings(**known)


def _fresh_secrets() -> dict[str, str]:
    return {
        "OPSAPP_SECRET_KEY": secrets.token_urlsafe(48),
        "OPSAPP_ENCRYPTION_KEYS": f"k1:{_random_base64()}",
        "OPSAPP_BLIND_INDEX_KEY": _random_base64(),
        "OPSAPP_SEAL_KEY": _random_base64(),  # any 32 bytes are an Ed25519 seed
        "OPSAPP_API_KEY": f"ops_{secrets.token_urlsafe(32)}",
    }


def _random_base64() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
