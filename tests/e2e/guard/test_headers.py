"""No header of a client decides who it is, which tenant it asks for or which path, whatever Traefik was told to believe."""

import pytest

from harness import guard
from harness.stage import Stage

pytestmark = pytest.mark.core

VPN, STRANGER = "192.0.2.241", "203.0.113.9"
MANAGER = "/web/database/manager"
SPOOFED = {"X-Forwarded-For": VPN, "X-Forwarded-Uri": "/web/health", "X-Forwarded-Method": "GET", "X-Forwarded-Host": "erp.other.example", "X-Real-Ip": VPN,
           "X-Forwarded-Prefix": "/web/health", "Forwarded": f"for={VPN}"}
ALIASES = {name.replace("-", "_"): value for name, value in SPOOFED.items() if "-" in name}
TRUST = {"unset": None, "false": False, "true": True}


def documents(hops):
    tenants = [guard.tenant(name) for name in ("rendered", "bare", "other", *TRUST)]
    return [guard.platform(), *tenants,
            guard.policy(trustedProxies={"cidrs": ["127.0.0.0/8"], "hops": hops}, lists=[{"name": "vpn", "cidrs": ["192.0.2.240/28"]}],
                         access=[{"classes": ["db-admin"], "allow": ["vpn"], "default": "deny"}])]


def variants(parts):
    """Tenants named after what their middleware says of trust; `bare` lacks the Middleware that deletes two headers."""
    for name, value in TRUST.items():
        ask = parts["middlewares"][f"portcullis-{name}-guard"]["forwardAuth"]
        ask.pop("trustForwardHeader")
        if value is not None:
            ask["trustForwardHeader"] = value
    parts["middlewares"]["portcullis-bare"]["chain"]["middlewares"] = ["portcullis-bare-guard"]


@pytest.fixture(scope="module")
def stage():
    """Traefik is the first to hear the client."""
    with Stage(documents(hops=1), edit=variants) as started:
        yield started


@pytest.fixture(scope="module")
def behind():
    """The client of these tests is a balancer in front of Traefik, which Traefik believes."""
    with Stage(documents(hops=2), trusted=["127.0.0.1/32"], edit=variants) as started:
        yield started


def seen_by_guard(stage, tenant):
    found = stage.decision(tenant=tenant)
    return found["path"], found["class"], found["method"]


@pytest.mark.parametrize("tenant", ["rendered", *TRUST])
def test_a_client_spoofs_in_vain(stage, tenant):
    """threats B1, B4, B5, B7, B9."""
    for headers in (SPOOFED, ALIASES, {name.lower(): value for name, value in SPOOFED.items()}):
        answer = stage.ask(tenant, MANAGER, "POST", headers=headers, body=b"")
        assert answer.status == 403, headers
        assert seen_by_guard(stage, tenant) == (MANAGER, "db-admin", "POST")


def test_what_a_client_spoofs_does_not_reach_odoo_either(stage):
    stage.odoo.forget()
    for headers in (SPOOFED, ALIASES):
        assert stage.ask("rendered", "/web/login", headers=headers).status == 200
    for seen in stage.odoo.seen("/web/login"):
        assert (seen.headers["x-forwarded-host"], seen.headers["x-forwarded-for"], seen.headers["x-real-ip"]) == ("erp.rendered.example", "127.0.0.1", "127.0.0.1")


def test_the_id_that_a_client_invents_does_not_reach_odoo(stage):
    stage.odoo.forget()
    assert stage.ask("rendered", "/web/login", headers={"X-Guard-Id": "invented"}).status == 200
    assert stage.odoo.seen("/web/login")[-1].guard_id != "invented"


def test_a_client_cannot_make_a_header_vanish(stage):
    """threats B6; CVE-2024-45410."""
    for token in ("X-Forwarded-For", "x-forwarded-uri", "X-Forwarded-Host, X-Forwarded-Method", "close, X_Forwarded_For"):
        answer = stage.ask("rendered", MANAGER, headers={"Connection": token})
        assert answer.status == 403, token
        assert stage.decision(tenant="rendered")["reason"] == "access", token


def test_a_host_of_another_tenant_is_no_way_in(stage):
    """threats B8: Traefik chooses the router by Host, and with it the tenant in the address."""
    for wanted in ("ERP.rendered.example", "erp.rendered.example.", "erp.rendered.example:443"):
        answer = stage.traefik.get("/web/login", host=wanted)
        assert answer.status in (200, 404), wanted  # by the tenant's own rules, or by nobody's
        if answer.status == 200:
            assert stage.decision()["tenant"] == "rendered"
    assert stage.traefik.get("/web/login", host="evil.example").status == 404


def test_behind_a_balancer_its_word_for_the_client_counts(behind):
    assert behind.ask("rendered", MANAGER, headers={"X-Forwarded-For": VPN}).status == 200
    assert behind.ask("rendered", MANAGER, headers={"X-Forwarded-For": STRANGER}).status == 403
    assert behind.ask("rendered", MANAGER, headers={"X-Forwarded-For": f"{VPN}, {STRANGER}"}).status == 403  # the left is the client's own word


def test_behind_a_balancer_that_passes_everything_on_path_and_method_are_still_the_clients_real_ones(behind):
    """threats B7: what `portcullis render middleware` deletes first, forwardAuth would otherwise believe."""
    spoofed = {"X-Forwarded-For": STRANGER, "X-Forwarded-Uri": "/web/health", "X-Forwarded-Method": "GET"}
    assert behind.ask("rendered", MANAGER, "POST", headers=spoofed, body=b"").status == 403
    assert seen_by_guard(behind, "rendered") == (MANAGER, "db-admin", "POST")
    assert behind.ask("bare", MANAGER, "POST", headers=spoofed, body=b"").status == 200, "if this is denied, Traefik has changed and the Middleware may go"
    assert seen_by_guard(behind, "bare") == ("/web/health", "health", "GET")


def test_behind_a_balancer_a_spoofed_host_is_seen(behind):
    before = behind.metric("portcullis_guard_refusals_total", reason="host-mismatch")
    assert behind.ask("rendered", "/web/login", headers={"X-Forwarded-For": STRANGER, "X-Forwarded-Host": "erp.other.example"}).status == 403
    assert behind.metric("portcullis_guard_refusals_total", reason="host-mismatch") == before + 1


def test_aliases_end_at_the_entry_point():
    """CVE-2026-54763: as the shipped configurations of Traefik say, `underscoreHeadersStrategy: reject`."""
    with Stage(documents(hops=2), trusted=["127.0.0.1/32"], entry_point={"http": {"underscoreHeadersStrategy": "reject"}}) as strict:
        assert strict.ask("rendered", "/web/login", headers={"X-Forwarded-For": STRANGER}).status == 200
        for name, value in ALIASES.items():
            assert strict.ask("rendered", "/web/login", headers={"X-Forwarded-For": STRANGER, name: value}).status == 400, name
        assert len(strict.odoo.seen()) == 1


def test_what_is_rendered_follows_the_number_of_proxies(stage, behind):
    for each, wanted in ((stage, False), (behind, True)):
        assert {one["forwardAuth"]["trustForwardHeader"] for one in each.shown["middlewares"].values() if "forwardAuth" in one} == {wanted}
