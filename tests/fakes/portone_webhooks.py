"""Webhooks of the PortOne double, signed as Standard Webhooks asks, sent once to where they go."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiohttp import web

from tests.fakes.portone_books import Merchant

SENDER = web.AppKey("sender", aiohttp.ClientSession)
TASKS: set["asyncio.Task[None]"] = set()


async def sending(app: web.Application) -> AsyncIterator[None]:
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        app[SENDER] = session
        yield


def send_unsent(app: web.Application, merchant: Merchant) -> None:
    """Write down what is to be told, and tell it where an address is known."""
    while merchant.unsent:
        kind, data = merchant.unsent.pop(0)
        message = _written(merchant, kind, data)
        merchant.outbox.append(message)
        send(app, merchant, message)


def send(app: web.Application, merchant: Merchant, message: dict[str, Any]) -> None:
    if merchant.webhook_url:
        task = asyncio.get_running_loop().create_task(
            _post(app[SENDER], merchant.webhook_url, message)
        )
        TASKS.add(task)
        task.add_done_callback(TASKS.discard)


def signature(secret: str, message_id: str, sent_at: str, body: str) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    said = f"{message_id}.{sent_at}.{body}".encode()
    return "v1," + base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()


def _written(merchant: Merchant, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps({"type": kind, "timestamp": merchant.clock.text(), "data": data})
    message_id, sent_at = f"msg_{secrets.token_hex(12)}", str(int(merchant.clock.now().timestamp()))
    headers = {"webhook-id": message_id, "webhook-timestamp": sent_at}
    if merchant.webhook_secret:
        headers["webhook-signature"] = signature(merchant.webhook_secret, message_id, sent_at, body)
    return {"type": kind, "headers": headers, "body": body, "answers": []}


async def _post(session: aiohttp.ClientSession, url: str, message: dict[str, Any]) -> None:
    headers = message["headers"] | {"Content-Type": "application/json"}
    try:
        async with session.post(url, data=message["body"], headers=headers) as response:
            message["answers"].append(response.status)
    except (aiohttp.ClientError, TimeoutError):
        message["answers"].append(0)
