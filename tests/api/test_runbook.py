"""The commands of docs/runbooks/api.md do what it says."""

import re
import shlex
from pathlib import Path

BLOCK = re.compile(r"```sh\n# (\d+)\n(curl .*?)\n```", re.DOTALL)
RUNBOOK = Path(__file__).parents[2] / "docs/runbooks/api.md"


def parts_of(command: str, told: dict[str, str]):
    for name, value in told.items():
        command = command.replace(f"${name}", value)
    words = shlex.split(command.replace("\\\n", " "))[1:]
    method, data, headers, address = "GET", None, {}, ""
    while words:
        match words.pop(0):
            case "-X":
                method = words.pop(0)
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            case "-d":
                data = words.pop(0)
            case found:
                address = found
    return method, address, headers, data


def test_the_commands_of_the_runbook_work_in_their_order(app, program):
    told = {"API": "/api/v1", "KEY": program.secret, "METHOD": ""}
    commands = BLOCK.findall(RUNBOOK.read_text())
    assert len(commands) > 5
    for status, command in commands:
        method, address, headers, data = parts_of(command, told)
        content = headers.pop("Content-Type", None)
        answer = program.client.open(
            address, method=method, headers=headers, data=data, content_type=content
        )
        assert answer.status_code == int(status), answer.text
        if answer.json["object"] == "payment_method":
            told["METHOD"] = answer.json["id"]
