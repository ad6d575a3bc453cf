"""What Odoo's users see while guards are killed, stopped, restarted and rolled. Each test prints its figure."""

import time

import pytest

from harness import guard
from harness.clients import NOTHING, Clients
from harness.stage import Stage

HOST = "erp.acme.example"
PATH = "/web/static/main.css"
ENOUGH = 100      # answers that make a state seen
DRAIN_SECONDS = 2  # longer than it takes the Service's address to notice; manifests/base has 15


def documents():
    return [guard.platform(), guard.tenant("acme"), guard.policy(classes={"static": {"limits": [{"key": "address", "rate": "100000/s", "burst": 100000}]}})]


def told(clients, since):
    return ", ".join(f"{count} x {status or 'no answer'}" for status, count in sorted(clients.statuses(since).items()))


@pytest.mark.core
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_beside_traefik_a_killed_guard_costs_what_is_asked_until_it_is_back(tls, figure):
    """manifests/sidecar and examples/compose: one Traefik, one guard. Traefik says 500 with nothing in it, at once; never longer."""
    with Stage(documents(), tls=tls) as stage, Clients(stage.traefik, HOST, PATH) as clients:
        clients.until(200, ENOUGH)
        killed = time.monotonic()
        stage.guard.kill()
        clients.until(500, ENOUGH)
        assert stage.ask("acme", PATH).body == b"", "Traefik has no page for it"
        stage.guard.start()
        back = time.monotonic()
        clients.until(200, ENOUGH, back)
        statuses = clients.statuses(killed)
        figure(f"killed: {told(clients, killed)}; longest wait {clients.longest() * 1000:.0f} ms")
        assert set(statuses) == {200, 500}
        settled = time.monotonic()
        clients.until(200, ENOUGH, settled)
        assert set(clients.statuses(settled)) == {200}, "no connection of Traefik's is left that leads nowhere"
        assert clients.longest() < 5


@pytest.mark.core
def test_a_guard_that_hangs_is_waited_for_and_then_goes_on(figure):
    """SIGSTOP for a moment: nothing is lost, Traefik waits (it would for 30 s)."""
    with Stage(documents()) as stage, Clients(stage.traefik, HOST, PATH) as clients:
        clients.until(200, ENOUGH)
        stopped = time.monotonic()
        stage.guard.pause()
        with pytest.raises(AssertionError):
            clients.until(200, ENOUGH, seconds=1)
        stage.guard.pause(False)
        clients.until(200, ENOUGH)
        figure(f"stopped for a second: {told(clients, stopped)}; longest wait {clients.longest() * 1000:.0f} ms")
        assert set(clients.statuses(stopped)) == {200}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_of_two_replicas_one_is_killed(tls, figure):
    """kube-proxy, as ServiceAddress plays it, sends new connections to a dead endpoint until a probe has noticed."""
    with Stage(documents(), tls=tls, replicas=2) as stage, Clients(stage.traefik, HOST, PATH) as clients:
        clients.until(200, ENOUGH)
        killed = time.monotonic()
        stage.guards[0].kill()
        guard.wait.until(lambda: stage.service.endpoints == [stage.guards[1]], 10, "the endpoint taken off")
        off = time.monotonic()
        clients.until(200, ENOUGH, off)
        statuses = clients.statuses(killed)
        figure(f"one of two killed, noticed after {off - killed:.2f} s: {told(clients, killed)}; longest wait {clients.longest() * 1000:.0f} ms")
        assert set(statuses) <= {200, 500}
        settled = time.monotonic()
        clients.until(200, ENOUGH, settled)
        assert set(clients.statuses(settled)) == {200}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_replicas_are_rolled_and_nobody_notices(tls, figure):
    """SIGTERM with a drain that is longer than it takes to notice: each request is answered, on the old connection or a new one."""
    with Stage(documents(), tls=tls, replicas=2, drain_delay=DRAIN_SECONDS) as stage, Clients(stage.traefik, HOST, PATH) as clients:
        clients.until(200, ENOUGH)
        begun = time.monotonic()
        for one in stage.guards:
            one.terminate()
            one.start()
            guard.wait.until(lambda: len(stage.service.endpoints) == 2, 10, "both endpoints back")
            clients.until(200, ENOUGH)
        figure(f"both rolled: {told(clients, begun)}; longest wait {clients.longest() * 1000:.0f} ms")
        assert set(clients.statuses(begun)) == {200}


def test_no_replica_is_left(figure):
    with Stage(documents(), replicas=2) as stage, Clients(stage.traefik, HOST, PATH) as clients:
        clients.until(200, ENOUGH)
        gone = time.monotonic()
        for one in stage.guards:
            one.kill()
        clients.until(500, ENOUGH)
        for one in stage.guards:
            one.start()
        guard.wait.until(lambda: len(stage.service.endpoints) == 2, 10, "both endpoints back")
        clients.until(200, ENOUGH)
        figure(f"both killed and started: {told(clients, gone)}; longest wait {clients.longest() * 1000:.0f} ms")
        assert NOTHING not in clients.statuses(gone)
        settled = time.monotonic()
        clients.until(200, ENOUGH, settled)
        assert set(clients.statuses(settled)) == {200}


def test_a_request_is_counted_once_when_a_connection_of_traefiks_breaks(figure):
    """Go's transport asks again when a connection that it kept breaks before the first byte of an answer: what the guard counted
    must not come to more than what Odoo answered, or users are charged twice."""
    tenant = guard.tenant("acme", {"plan": "wide", "classes": {"static": {"limits": [{"key": "address", "rate": "1/h", "burst": 4000}]}}})
    with Stage([guard.platform(), tenant, guard.policy()], tls=False, replicas=2, drain_delay=DRAIN_SECONDS) as stage:
        with Clients(stage.traefik, HOST, PATH) as clients:
            clients.until(200, ENOUGH)
            stage.guards[0].terminate()
            clients.until(200, ENOUGH)
        answered = len(clients.answers)
        judged = stage.guards[1].metric("portcullis_guard_request_duration_seconds_count") + sum(
            1 for line in stage.guards[0].audit_log.read_text().splitlines() if '"kind":"guard"' in line)
        figure(f"{answered} answers, {judged:.0f} judged")
        assert judged == answered
