"""A request's whole way through the real Traefik: who passes reaches Odoo unchanged, who does not is told so by the guard."""

import base64
import contextlib
import os
import socket

import pytest

from harness import guard, odoo_fake
from harness.clients import h2load
from harness.stage import Stage

pytestmark = pytest.mark.core

STATIC = "/web/static/src/main.css"


def documents(**more):
    return [guard.platform(), guard.tenant("acme"), guard.tenant("tight", {"plan": "wide", "classes": {"ws-connect": {"limits": [
        {"key": "address", "rate": "1/h", "burst": 2}]}, "login": {"limits": [{"key": "address", "rate": "1/h", "burst": 2}]}}}),
        guard.policy(classes={"static": {"limits": [{"key": "address", "rate": "100000/s", "burst": 100000}]}}, **more)]


@pytest.fixture(scope="module")
def stage():
    with Stage(documents()) as started:
        yield started


@pytest.fixture(scope="module")
def plain():
    with Stage(documents(), tls=False) as started:
        yield started


def test_over_plain_http_the_guard_is_asked_in_http_1_1(plain):
    before = plain.metric("portcullis_net_requests_total", door="guard", protocol="http/1.1")
    assert plain.ask("acme", "/web/login").status == 200
    assert plain.ask("acme", "/web/database/manager").status == 403
    assert plain.metric("portcullis_net_requests_total", door="guard", protocol="http/1.1") == before + 2


def test_over_tls_the_guard_is_asked_in_http_2_on_one_connection(stage):
    """What the rendered `tls` is for: a plain address would cost a connection for a good part of the requests."""
    before = stage.metric("portcullis_net_connections_total", door="guard"), stage.metric("portcullis_net_requests_total", door="guard", protocol="h2")
    for _ in range(50):
        assert stage.ask("acme", STATIC).status == 200
    after = stage.metric("portcullis_net_connections_total", door="guard"), stage.metric("portcullis_net_requests_total", door="guard", protocol="h2")
    assert after[1] == before[1] + 50
    assert after[0] <= before[0] + 1
    assert stage.metric("portcullis_net_requests_total", door="guard", protocol="http/1.1") == 0


def test_what_passes_reaches_odoo_as_it_was_sent_and_its_answer_the_client(stage):
    stage.odoo.forget()
    body = b'{"jsonrpc": "2.0", "id": 3, "params": {"db": "acme", "login": "cfo@acme.example", "password": "\\u00e9"}}'
    answer = stage.ask("acme", "/web/session/authenticate/?a=%2F&b=1", "POST", body=body, headers={"Content-Type": "application/json", "X-Own": "1"})
    assert answer.status == 200 and answer.json()["error"]["data"]["name"] == "odoo.exceptions.AccessDenied"
    seen, = stage.odoo.seen()
    assert (seen.method, seen.target, seen.body, seen.headers["x-own"]) == ("POST", "/web/session/authenticate/?a=%2F&b=1", body, "1")
    assert odoo_fake.is_session(answer.headers["Set-Cookie"].split("=", 1)[1].split(";")[0])
    assert not {name for name in answer.headers if name.lower().startswith(("ratelimit", "x-guard", "retry"))}


def test_a_login_and_its_outcome(stage):
    """The real way of a browser; the outcome is in the status, 303 or 200."""
    good, bad = (f"login={odoo_fake.LOGIN}&password={word}".encode() for word in ("correct+horse", "wrong"))
    of_form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert stage.ask("acme", "/web/login", "POST", body=bad, headers=of_form).status == 200
    answer = stage.ask("acme", "/web/login", "POST", body=good, headers=of_form)
    assert (answer.status, answer.headers["Location"]) == (303, "/odoo")
    cookie = answer.headers["Set-Cookie"].split(";")[0]
    assert stage.ask("acme", "/odoo", headers={"Cookie": cookie}).status == 200
    assert stage.ask("acme", "/odoo").status == 303
    found = [each for each in stage.traefik.accesses(RequestMethod="POST") if each["RequestPath"] == "/web/login"]
    assert [each["DownstreamStatus"] for each in found] == [200, 303]


def test_what_is_denied_does_not_reach_odoo(stage):
    stage.odoo.forget()
    answer = stage.ask("acme", "/web/database/manager", headers={"Accept": "text/html"})
    assert (answer.status, answer.headers["Cache-Control"]) == (403, "no-store")
    assert answer.headers["Content-Type"].startswith("text/html") and b"<html" in answer.body
    assert stage.odoo.seen() == []


def test_every_spelling_of_the_login_is_one_login(stage):
    """threats B24, B28, through Traefik's own cleaning of paths: whatever reaches Odoo's login is counted as one."""
    stage.odoo.forget()
    spellings = ["/web/login", "/web/login/", "//web/login", "/web//login", "/fr/web/login", "/fr_BE/web/login/", "/web/./login", "/x/../web/login", "/web%2Flogin",
                 "/%77eb/login", "/web/login?x=/web/health", "/web/session/authenticate"]
    statuses = {path: stage.ask("tight", path, "POST", body=b"{}").status for path in spellings}
    reached = [each.target for each in stage.odoo.seen()]
    assert len(reached) <= 2, (reached, statuses)
    assert list(statuses.values()).count(429) >= len(spellings) - 2 - list(statuses.values()).count(400), statuses
    assert {each["class"] for each in stage.guard.decisions(tenant="tight", method="POST") if "class" in each} == {"login"}


def handshake(stage, tenant):
    """(status, socket) of a websocket handshake."""
    connection = socket.create_connection(stage.traefik.web, timeout=20)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(f"GET /websocket?version=18.0 HTTP/1.1\r\nHost: erp.{tenant}.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                       f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nOrigin: http://erp.{tenant}.example\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        chunk = connection.recv(4096)
        assert chunk, head
        head += chunk
    return int(head.split(b" ", 2)[1]), connection, head


def test_websockets_pass_and_are_limited_by_the_handshake(stage):
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            status, connection, _ = handshake(stage, "tight")
            stack.enter_context(connection)
            assert status == 101
            connection.sendall(b"\x81\x85\0\0\0\0hello")
            assert connection.recv(64) == b"\x81\x85\0\0\0\0hello"  # frames go to and fro; the guard sees none of them
        status, connection, head = handshake(stage, "tight")
        stack.enter_context(connection)
        assert status == 429 and b"Retry-After: " in head
    assert stage.odoo.websockets == 2
    assert {each["class"] for each in stage.guard.decisions(tenant="tight", path="/websocket")} == {"ws-connect"}


@pytest.mark.parametrize("clients, streams", [(64, 1), (16, 16), (150, 1)])
def test_clients_of_http_2(stage, clients, streams):
    assert h2load(stage.traefik, f"https://erp.acme.example{STATIC}", 1200, clients, streams) == {"2xx": 1200, "3xx": 0, "4xx": 0, "5xx": 0}


def test_exactly_the_burst_passes_whatever_the_clients_open_at_once():
    """threats B31."""
    tenant = guard.tenant("acme", {"plan": "wide", "classes": {"static": {"limits": [{"key": "address", "rate": "1/h", "burst": 40}]}}})
    with Stage([guard.platform(), tenant, guard.policy()]) as stage:
        assert h2load(stage.traefik, f"https://erp.acme.example{STATIC}", 400, 20, 20) == {"2xx": 40, "3xx": 0, "4xx": 360, "5xx": 0}
        assert len(stage.odoo.seen()) == 40


def test_what_the_guard_is_sent():
    """By a recorder in the guard's place: nothing but what the Middleware lists, and no length of a body that is not sent along:
    through Traefik nothing can be charged by the size of a request, but at the login's own door."""
    with odoo_fake.OdooFake() as recorder:
        def elsewhere(parts):
            for each in parts["middlewares"].values():
                if "forwardAuth" in each:
                    each["forwardAuth"]["address"] = recorder.url + "/v1/" + each["forwardAuth"]["address"].split("/v1/")[1]
                    each["forwardAuth"].pop("tls", None)
        with Stage(documents(), tls=False, edit=elsewhere) as stage:
            sent = {"Cookie": "session_id=x", "Authorization": "Bearer a-key", "Content-Type": "application/json", "Accept": "*/*", "User-Agent": "e2e", "Referer": "http://a.example/",
                    "X-Own": "1", "Sec-Fetch-Mode": "cors", "X-Odoo-Database": "acme", "Origin": "http://a.example", "Expect": "100-continue", "Accept-Language": "de"}
            stage.ask("acme", "/json/2/res.partner/read?x=1", "POST", body=b"{}", headers=sent)
            stage.ask("acme", "/web/login", "POST", body=b"login=a", headers=sent)
        plain, door = recorder.seen()
        assert (plain.method, plain.target, plain.body, door.target, door.body) == ("GET", "/v1/traefik/acme", b"", "/v1/traefik/acme/login", b"login=a")
        kept = {name.lower() for name in sent} - {"referer", "x-own", "expect", "accept-language"}
        forwarded = {"x-forwarded-for", "x-forwarded-host", "x-forwarded-method", "x-forwarded-port", "x-forwarded-proto", "x-forwarded-uri"}
        assert set(plain.headers) - {"host", "accept-encoding"} == kept | forwarded
        assert set(door.headers) - set(plain.headers) == {"content-length"}
        assert plain.headers["x-forwarded-uri"] == "/json/2/res.partner/read?x=1" and plain.headers["x-forwarded-method"] == "POST"


def test_documents_that_change_hold_for_the_next_request(plain):
    assert plain.ask("acme", "/web/database/manager").status == 403
    before = plain.guard.get("/readyz")[1]
    guard.write_documents(plain.config, documents(lists=[{"name": "here", "cidrs": ["127.0.0.0/8"]}], access=[{"classes": ["db-admin"], "allow": ["here"], "default": "deny"}]))
    guard.wait.until(lambda: plain.guard.get("/readyz")[1] != before, 10, "the new documents")
    assert plain.ask("acme", "/web/database/manager").status == 200
