"""Logins through the login's own router: the guard sees which login is tried, and by Traefik's access log what came of it."""

import json
import xmlrpc.client

import pytest

from harness import guard, odoo_fake, wait
from harness.stage import Stage

pytestmark = pytest.mark.core

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
BODY_BYTES_MAX = 65536  # of the rendered Middleware
WIDE = {"limits": [{"key": "address", "rate": "100000/s", "burst": 100000}]}


def form(login, password):
    return f"login={login}&password={password}&redirect=".encode()


@pytest.fixture(scope="module")
def stage():
    """Limits by login alone, in `named`; in `acme` a burst of three by address and bans after four failures."""
    documents = [
        guard.platform(),
        guard.tenant("named", {"plan": "wide", "classes": {"login": {"limits": [{"key": "login", "rate": "1/h", "burst": 2}]}}}),
        guard.tenant("acme", {"plan": "wide", "classes": {"login": {"limits": [{"key": "address", "rate": "1/h", "burst": 3}]}}}),
        guard.tenant("banned", {"plan": "wide", "classes": {"login": WIDE}}),
        guard.tenant("bodies", {"plan": "wide", "classes": {"login": WIDE}, "access": [{"classes": ["rpc-legacy"], "default": "allow"}]}),
        guard.policy(bans={"failures": 4, "window": "PT10M", "first": "PT1M", "max": "PT1H"}),
    ]
    with Stage(documents, access_log=True) as started:
        yield started


def test_one_login_is_limited_by_whatever_door_and_another_is_not(stage):
    assert stage.ask("named", "/web/login", "POST", body=form("cfo@acme.example", "a"), headers=FORM).status == 200
    authenticate = json.dumps({"jsonrpc": "2.0", "params": {"db": "named", "login": "cfo@acme.example", "password": "b"}}).encode()
    assert stage.ask("named", "/web/session/authenticate", "POST", body=authenticate, headers=JSON).status == 200
    for path, body, headers in (("/web/login", form("cfo@acme.example", "c"), FORM), ("/fr_BE/web/login/", form("cfo@acme.example", "d"), FORM),
                                ("/web/session/authenticate", authenticate, JSON)):
        assert stage.ask("named", path, "POST", body=body, headers=headers).status == 429, path
    assert stage.ask("named", "/web/login", "POST", body=form("clerk@acme.example", "a"), headers=FORM).status == 200


def test_the_body_comes_to_odoo_whole_and_passwords_nowhere_else(stage):
    stage.odoo.forget()
    body = form("clerk2@acme.example", "s3cret-never-told") + b"&note=" + b"x" * (BODY_BYTES_MAX - 200)
    assert stage.ask("named", "/web/login", "POST", body=body, headers=FORM).status == 200
    assert stage.odoo.seen("/web/login")[-1].body == body
    assert stage.decision(tenant="named")
    for told in (stage.guard.audit_log.read_text(), stage.guard.said()):
        assert "s3cret-never-told" not in told and "clerk2@acme.example" not in told


def test_a_login_too_large_is_traefiks_own_401(stage):
    """forwardBody: the guard is not asked, and Odoo neither."""
    stage.odoo.forget()
    before = stage.metric("portcullis_guard_request_duration_seconds_count")
    answer = stage.ask("named", "/web/login", "POST", body=form("x", "y" * BODY_BYTES_MAX), headers=FORM)
    assert (answer.status, answer.body) == (401, b"")
    assert stage.odoo.seen() == [] and stage.metric("portcullis_guard_request_duration_seconds_count") == before


def test_other_bodies_are_not_the_guards_to_see_whatever_their_size(stage):
    stage.odoo.forget()
    call = xmlrpc.client.dumps(("acme", 2, odoo_fake.PASSWORD, "res.partner", "create", ["x" * 1_000_000]), "execute_kw").encode()
    assert stage.ask("bodies", "/xmlrpc/2/object", "POST", body=call, headers={"Content-Type": "text/xml"}).status == 200
    assert len(stage.odoo.seen("/xmlrpc/2/object")[-1].body) == len(call)


def test_logins_that_succeed_use_no_limit_up(stage):
    """150 people behind one office's address: what a success was charged is given back, once the access log has told of it."""
    good = form(odoo_fake.LOGIN, "correct+horse")
    for number in range(12):
        wait.until(lambda: stage.ask("acme", "/web/login", "POST", body=good, headers=FORM).status == 303, 5, f"login {number}", poll=0.01)
    assert stage.odoo.seen("/web/login")[-1].guard_id.startswith("pg-"), "Odoo's own log could name the request"
    assert stage.traefik.accesses(RequestMethod="POST", RequestHost="erp.acme.example")[-1]["ClientUsername"].startswith("pg-")


def test_logins_that_fail_lead_to_a_ban_and_people_who_are_in_work_on(stage):
    answer = stage.ask("banned", "/web/login", "POST", body=form(odoo_fake.LOGIN, "correct+horse"), headers=FORM)
    cookie = {"Cookie": answer.headers["Set-Cookie"].split(";")[0]}
    assert stage.ask("banned", "/odoo", headers=cookie).status == 200
    before = stage.metric("portcullis_guard_login_failures_total")
    for number in range(4):
        assert stage.ask("banned", "/web/login", "POST", body=form(f"guess{number}@acme.example", "wrong"), headers=FORM).status == 200
        wait.until(lambda: stage.metric("portcullis_guard_login_failures_total") == before + number + 1, 10, "the failure told by the access log")
    answer = stage.ask("banned", "/web/login", "POST", body=form("guess9@acme.example", "wrong"), headers=FORM)
    assert answer.status == 429 and stage.decision(tenant="banned")["reason"] == "banned"
    assert stage.ask("banned", "/odoo", headers=cookie).status == 200
    assert stage.ask("bodies", "/web/login", "POST", body=form("cfo", "wrong"), headers=FORM).status == 200, "another tenant's logins"


def test_the_access_log_is_followed_through_truncation_and_rotation(stage):
    """As the examples keep it short: emptied in place; or renamed, and Traefik told to open it anew."""
    def failure_is_told(user):
        before = stage.metric("portcullis_guard_login_failures_total")
        assert stage.ask("bodies", "/web/login", "POST", body=form(user, "wrong"), headers=FORM).status == 200
        wait.until(lambda: stage.metric("portcullis_guard_login_failures_total") == before + 1, 10, "the failure told by the access log")
    log = stage.traefik.access_log
    failure_is_told("one")
    with open(log, "r+b") as file:
        file.truncate(0)
    failure_is_told("two")
    assert log.read_bytes()[:1] == b"{", "Traefik appends: no hole at the beginning"
    log.rename(log.with_suffix(".1"))
    stage.traefik.reopen_log()
    failure_is_told("three")
