"""Connections that outlive a job, and what becomes of those that do not."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic

import pytest

from opsapp.gateways.http import Limits
from opsapp.gateways.toss import TossGateway
from opsapp.gateways.values import ChargeRequest, Flow
from opsapp.kernel import loops

LIMITS = Limits(timeout_s=5, inquiry_timeout_s=5, abreast_max=4, rate_per_s_max=0)
REFUSED = "REJECT_CARD_COMPANY"
BODY = b'{"code":"REJECT_CARD_COMPANY","message":"no"}'


class Counting(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    made = 0
    has_hung_up = threading.Event()

    def setup(self):
        type(self).made += 1
        super().setup()

    def finish(self):
        super().finish()
        self.connection.close()
        self.has_hung_up.set()

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(403)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    do_GET = do_POST  # noqa: N815 - the name the library calls

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def gateway() -> Iterator[TossGateway]:
    Counting.made, Counting.timeout = 0, None
    Counting.has_hung_up.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    loops.keep_loop()
    yield TossGateway(url=url, secret_key="k", limits=LIMITS)
    loops.end_loop()
    server.shutdown()
    server.server_close()


def charge(gateway, *, run=loops.run):
    """A request that no HTTP library sends twice by itself."""
    request = ChargeRequest(
        flow=Flow.BILLING,
        gateway_order_id="op_order",
        idempotency_key="pay_key",
        body=b"{}",
        billing_key="bk",
        gateway_key=None,
        call_before=monotonic() + 60,
    )

    async def job():
        async with gateway.connected():
            return await gateway.charge(request)

    return run(job()).code


def test_the_next_job_goes_on_with_the_connection_of_the_last(gateway):
    assert [charge(gateway), charge(gateway)] == [REFUSED] * 2
    assert Counting.made == 1
    assert charge(gateway, run=loops.run_apart) == REFUSED, "a loop of its own, beside it"
    assert Counting.made == 2


def test_what_the_gateway_closed_between_two_jobs_is_not_used(gateway):
    Counting.timeout = 0.05
    assert charge(gateway) == REFUSED
    assert Counting.has_hung_up.wait(5)
    assert charge(gateway) == REFUSED
    assert Counting.made == 2


def test_a_job_that_was_interrupted_leaves_the_next_one_a_loop_of_its_own(gateway):
    async def interrupted():
        raise KeyboardInterrupt

    assert charge(gateway) == REFUSED
    with pytest.raises(KeyboardInterrupt):
        loops.run(interrupted())
    assert charge(gateway) == REFUSED
    assert Counting.made == 2
