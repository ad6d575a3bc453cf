"""Several guards behind one Traefik count together through the real Redis, with the rights that the documentation gives them."""

import re
import secrets
import time

import pytest

from harness import guard, tools, wait
from harness.clients import Clients, h2load
from harness.redis import Redis
from harness.stage import Stage

pytestmark = pytest.mark.core

BURST = 60
STATIC = "/web/static/src/main.css"
ENOUGH = 100


def rules():
    """What examples/compose and docs/guard.md let the guard do in Redis."""
    told = re.search(r"user guard on #%s (.*)\\n'", (tools.ROOT / "examples/compose/README.md").read_text()).group(1)
    assert told in (tools.ROOT / "docs/guard.md").read_text(), "the README and the page differ"
    return told


@pytest.fixture(scope="module")
def redis():
    with Redis("guard", secrets.token_hex(8), rules()) as started:
        yield started


def stage(redis, directory, **limit):
    (directory / "password").write_text(redis.password + "\n")
    (directory / "hash-key").write_text(secrets.token_hex(32) + "\n")
    tenant = guard.tenant("acme", {"plan": "wide", "classes": {"static": {"limits": [{"key": "address", **limit}]}}})
    options = ["--redis", f"redis://guard@127.0.0.1:{redis.port}", "--redis-password-file", directory / "password", "--hash-key", directory / "hash-key"]
    return Stage([guard.platform(), tenant, guard.policy()], tls=False, replicas=2, options=options)


def up(started):
    wait.until(lambda: all(each.metric("portcullis_guard_store_up") == 1 for each in started.guards), 20, "both guards at Redis")


def test_two_replicas_let_one_burst_pass(redis, tmp_path):
    with stage(redis, tmp_path, rate="1/h", burst=BURST) as started:
        up(started)
        assert h2load(started.traefik, f"http://erp.acme.example{STATIC}", 600, 30, h1=True) == {"2xx": BURST, "3xx": 0, "4xx": 600 - BURST, "5xx": 0}
        assert len(started.odoo.seen()) == BURST
        judged = [each.metric("portcullis_guard_request_duration_seconds_count") for each in started.guards]
        assert sum(judged) == 600 and min(judged) > 20, judged


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_redis_goes_away_and_nobody_waits(redis, tmp_path, fault, figure):
    """threats B39: no 5xx, no request that waits for long; and it is asked again when it is back."""
    with stage(redis, tmp_path, rate="100000/s", burst=100000) as started:
        up(started)
        with Clients(started.traefik, "erp.acme.example", STATIC) as clients:
            clients.until(200, ENOUGH)
            gone = time.monotonic()
            getattr(redis, fault)()
            try:
                wait.until(lambda: all(each.metric("portcullis_guard_store_up") == 0 for each in started.guards), 20, "both guards see it")
                clients.until(200, ENOUGH)
                figure(f"{fault}: {dict(clients.statuses(gone))}, longest wait {clients.longest() * 1000:.0f} ms")
            finally:
                redis.start() if fault == "kill" else redis.pause(False)
            up(started)
            clients.until(200, ENOUGH)
            assert set(clients.statuses(gone)) == {200} and clients.longest() < 1
