"""Starting: one sentence and exit 1 when it cannot; and HTTP as it comes over a bare socket."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.conftest import Sandbox, SandboxStarter

KEY = b"Authorization: Basic dGVzdF9za194Og==\r\n"
READ = b"GET /v1/payments/orders/nothing HTTP/1.1\r\nHost: x\r\n" + KEY + b"\r\n"


def start(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def say(sandbox: Sandbox, *parts: bytes) -> bytes:
    """Everything the server answers before it closes; we close our side when all is said."""
    host, port = sandbox.url.removeprefix("http://").split(":")
    heard = b""
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        for part in parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)
        while data := connection.recv(65_536):
            heard += data
    return heard


def test_a_used_port_is_said_in_one_sentence(sandbox: Sandbox, tmp_path: Path) -> None:
    port = sandbox.url.rpartition(":")[2]
    ended = start("--port", port, "--data", str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert port in ended.stderr


def test_an_unusable_data_directory_is_said_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    ended = start("--port", "0", "--data", str(file / "below"))
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "not writable" in ended.stderr


def test_two_sandboxes_do_not_share_a_directory(
    start_sandbox: SandboxStarter, tmp_path: Path
) -> None:
    start_sandbox()
    ended = start("--port", "0", "--data", str(tmp_path / "data"))
    assert ended.returncode == 1
    assert "in use" in ended.stderr


def test_a_webhook_target_elsewhere_is_refused_at_start(tmp_path: Path) -> None:
    ended = start("--port", "0", "--data", str(tmp_path), "--webhook-url", "http://example.com")
    assert ended.returncode == 1
    assert "loopback" in ended.stderr


def test_a_damaged_journal_is_not_guessed_at(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text("nonsense\n[]\n")
    ended = start("--port", "0", "--data", str(tmp_path))
    assert ended.returncode == 1
    assert "Line 1" in ended.stderr


def test_it_stops_on_a_signal_with_exit_code_zero(start_sandbox: SandboxStarter) -> None:
    assert start_sandbox().stop() == 0


def test_pipelined_requests_are_answered_in_turn(sandbox: Sandbox) -> None:
    assert say(sandbox, READ * 40).count(b"HTTP/1.1 404 Not Found") == 40


def test_a_request_in_pieces_is_put_together(sandbox: Sandbox) -> None:
    assert say(sandbox, READ[:10], READ[10:50], READ[50:]).startswith(b"HTTP/1.1 404")


def test_an_offer_of_http_2_is_answered_in_http_1(sandbox: Sandbox) -> None:
    offer = b"connection: upgrade\r\nupgrade: h2c\r\n\r\n"
    assert say(sandbox, READ[:-2] + offer).startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense\r\n\r\n",
        READ[:-2] + b"x-long: " + b"x" * 40_000 + b"\r\n\r\n",
        b"POST /v1/payments/confirm HTTP/1.1\r\n"
        + KEY
        + b"content-length: 70000\r\n\r\n"
        + b"x" * 70_000,
    ],
)
def test_what_is_no_request_is_refused_and_closed(sandbox: Sandbox, text: bytes) -> None:
    answer = say(sandbox, text)
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"connection: close" in answer


@pytest.mark.parametrize("body", [b"nonsense", b"[]", b"[" * 10_000, b'"\xff"'])
def test_a_body_that_is_no_object_is_refused(sandbox: Sandbox, body: bytes) -> None:
    head = b"POST /v1/payments/confirm HTTP/1.1\r\n" + KEY
    answer = say(sandbox, head + b"content-length: %d\r\n\r\n%s" % (len(body), body))
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"INVALID_REQUEST" in answer


def test_a_web_page_cannot_pull_the_levers(sandbox: Sandbox) -> None:
    answer = say(sandbox, b"GET /_sandbox/health HTTP/1.1\r\nOrigin: http://evil\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403")
