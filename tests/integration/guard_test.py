"""The guard as Traefik meets it: who passes, who is kept out, who is slowed down, and in which shape (threats B1 to B33).

Tenants of one test each, so that no limit of one is spent by another.
"""

import contextlib
import json
import re
import time
import unittest
import xmlrpc.client

import harness

OFFICE, VPN, STRANGER = "198.51.100.7", "192.0.2.241", "203.0.113.9"
LOGINS = 5  # burst of the class `login`, a second each


def documents():
    tenants = []
    for name in ("pass", "access", "login", "shapes", "headers", "reset", "shadow", "plan", "session", "paths", "churn", "many"):
        guard = {"plan": "gold", "lists": [{"name": "offices", "cidrs": ["198.51.100.0/24", "2001:db8:77::/48"], "factor": 10}],
                 "access": [{"classes": ["export"], "allow": ["offices"], "default": "deny"}]}
        if name == "shadow":
            guard["mode"] = "shadow"
        if name == "plan":
            guard["plan"] = "tiny"
        if name == "shapes":
            guard["access"] += [{"classes": ["rpc-legacy"], "default": "allow"}]
            guard["classes"] = {each: {"limits": [{"key": "address", "rate": "1/h", "burst": 1}]}
                                for each in ("rpc-legacy", "rpc-web", "rpc-json2", "image", "other", "ws-connect")}
        if name == "reset":
            guard["classes"] = {"login": {"limits": [{"key": "address", "rate": "1/s", "burst": 2}]}}
        if name == "many":
            guard["classes"] = {"login": {"limits": [{"key": "address", "rate": "1/h", "burst": 40}]}}
        tenants.append(harness.tenant(name, [{"name": name + "-prod"}], hosts=[f"erp.{name}.example", f"*.wild.{name}.example"], guard=guard))
    return [
        harness.platform(), *tenants,
        harness.document("GuardPolicy", "default", trustedProxies={"cidrs": ["127.0.0.0/8"], "hops": 1}, unknownHost="deny",
                         plans={"gold": {"factor": 1, "tenant": {"rate": "100000/s", "burst": 100000}},
                                "tiny": {"factor": 1, "tenant": {"rate": "1/h", "burst": 3}}},
                         classes={"login": {"limits": [{"key": "address", "rate": "1/min", "burst": LOGINS}]},
                                  "rpc-web": {"limits": [{"key": "session", "rate": "1/h", "burst": 3}, {"key": "address", "rate": "1/h", "burst": 6}]}},
                         lists=[{"name": "hoster-vpn", "cidrs": ["192.0.2.240/28"]}],
                         access=[{"classes": ["db-admin"], "allow": ["hoster-vpn"], "default": "deny"}])]


def setUpModule():
    global door
    door = harness.Door("guard", documents())


def tearDownModule():
    door.stop()


def forwarded(tenant, uri="/web", method="GET", address=STRANGER, **more):
    headers = {"X-Forwarded-For": address, "X-Forwarded-Host": f"erp.{tenant}.example", "X-Forwarded-Uri": uri, "X-Forwarded-Method": method,
               "X-Forwarded-Proto": "https", "Accept": "text/html", **more}
    return {name: value for name, value in headers.items() if value is not None}


def knock(tenant, *args, path=None, connection=None, **more):
    headers = forwarded(tenant, *args, **more)
    if connection:
        return harness.call(connection, "GET", path or f"/v1/traefik/{tenant}", headers=headers)
    return door.get(path or f"/v1/traefik/{tenant}", headers)


def lines(tenant, *headers, path=None, target=None):
    """One request whose header lines are exactly these, besides Host; the answer's status."""
    sent = f"GET {path or '/v1/traefik/' + tenant} HTTP/1.1\r\nHost: guard\r\nConnection: close\r\n".encode()
    sent += b"".join(line.encode() + b"\r\n" for line in headers) + b"\r\n"
    with contextlib.closing(door.raw()) as sock:
        sock.sendall(sent)
        got = b""
        while chunk := sock.recv(65536):
            got += chunk
    return int(got.split(b" ", 2)[1])


def usual(tenant, **change):
    return [f"{name}: {value}" for name, value in forwarded(tenant, **change).items()]


class Passing(unittest.TestCase):
    def test_by_host_and_by_name(self):
        for path in ("/auth", "/v1/traefik/pass"):
            answer = knock("pass", path=path)
            self.assertEqual((answer.status, answer.body), (200, b""))
            self.assertEqual({name.lower() for name in answer.headers} - {"date", "content-length"}, set())
        self.assertEqual(knock("pass", path="/auth", **{"X-Forwarded-Host": "shop.wild.pass.example"}).status, 200)
        self.assertEqual(knock("pass", path="/auth", **{"X-Forwarded-Host": "ERP.pass.example.:443"}).status, 200)

    def test_any_method_of_the_asking_itself(self):
        for method in ("GET", "POST", "PUT", "OPTIONS", "HEAD"):
            self.assertEqual(door.get("/v1/traefik/pass", forwarded("pass"), method).status, 200, method)

    def test_health_and_other_paths(self):
        self.assertEqual(door.get("/healthz").status, 200)
        self.assertEqual(door.get("/readyz").status, 200)
        for path in ("/", "/metrics", "/v1/traefik", "/v1/traefik/", "/validate"):
            self.assertIn(door.get(path, forwarded("pass")).status, (403, 404), path)
            self.assertNotEqual(door.get(path, forwarded("pass")).status, 200, path)


class Refusing(unittest.TestCase):
    def test_access_lists(self):
        self.assertEqual(knock("access", "/web/database/manager").status, 403)
        self.assertEqual(knock("access", "/web/database/manager", address=OFFICE).status, 403)
        self.assertEqual(knock("access", "/web/database/manager", address=VPN).status, 200)
        self.assertEqual(knock("access", "/web/export/xlsx", "POST").status, 403)
        self.assertEqual(knock("access", "/web/export/xlsx", "POST", address=OFFICE).status, 200)
        self.assertEqual(knock("access", "/web/export/xlsx", "POST", address="2001:db8:77::9").status, 200)
        self.assertEqual(knock("access", "/web/export/xlsx", "POST", address="2001:db8:78::9").status, 403)
        self.assertEqual(knock("access", "/web/export/xlsx", "POST", address=f"::ffff:{OFFICE}").status, 200)  # threats B17
        self.assertEqual(knock("access", "/xmlrpc/2/common", "POST").status, 403)  # off unless opened
        answer = knock("access", "/web/database/manager")
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertNotIn("erp.access", answer.text)

    def test_every_spelling_of_a_path(self):
        """threats B24, B26: what Odoo would read as the database manager."""
        for uri in ("//web/database/manager", "/web%2Fdatabase/manager", "/web/./database/manager", "/x/../web/database/manager", "/fr/web/database/manager",
                    "/fr_BE/web/database/manager", "/web/database/manager/", "/web/database/manager?x=/web/health", "/web/health/../database/manager",
                    "/%77eb/database/manager", "/web\\database\\manager"):
            self.assertEqual(knock("paths", uri).status, 403, uri)
        for uri in ("/web/%zz", "/web/%c0%af", "/web/%00", "web/login", "*", "http://erp.paths.example/web", "", "/web#x", "/" + "a" * 16384):
            self.assertIn(knock("paths", uri).status, (400, 403) if not uri else (400,), uri)

    def test_a_missing_header(self):
        """threats B6: a client can make one vanish by `Connection`."""
        for name in ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Uri", "X-Forwarded-Method"):
            self.assertEqual(knock("headers", **{name: None}).status, 403, name)

    def test_a_doubled_or_aliased_header(self):
        """threats B5; CVE-2026-39858."""
        self.assertEqual(lines("headers", *usual("headers")), 200)
        for extra in ("X-Forwarded-Host: erp.headers.example", "X-Forwarded-Uri: /web", "X-Forwarded-Method: GET", "X_Forwarded_Host: evil.example",
                      "X.Forwarded.For: 10.0.0.1", "x_forwarded-for: 10.0.0.1", "X_FORWARDED_URI: /web/health"):
            self.assertEqual(lines("headers", *usual("headers"), extra), 400, extra)
            self.assertEqual(lines("headers", extra, *usual("headers")), 400, extra)
        twice = ("Authorization: Bearer a", "Authorization: Bearer b")
        self.assertEqual(lines("headers", *usual("headers"), *twice), 400)

    def test_the_client_is_the_right_most_address(self):
        """threats B1 to B4, B18 to B20."""
        def of(address, uri="/web/database/manager"):
            return knock("headers", uri, address=address).status
        self.assertEqual(of(f"{VPN}, {STRANGER}"), 403)
        self.assertEqual(of(f"{STRANGER}, {VPN}"), 200)
        self.assertEqual(lines("headers", *usual("headers", uri="/web/database/manager", address=STRANGER), f"X-Forwarded-For: {VPN}"), 200)  # one list
        for wrong in ("1.2.3.4:55", "[2001:db8::1]", '"1.2.3.4"', "unknown", "", "1.2.3.4,", "0177.0.0.1", "2130706433", "127.1", "+1.2.3.4", "fe80::1%eth0"):
            self.assertIn(of(wrong, "/web"), (400,) if wrong else (400, 403), wrong)
        self.assertEqual(of(", ".join([STRANGER] * 33), "/web"), 400)
        for name in ("Forwarded", "X-Real-Ip", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP", "X-Original-Forwarded-For"):
            value = f"for={VPN}" if name == "Forwarded" else VPN
            self.assertEqual(knock("headers", "/web/database/manager", **{name: value}).status, 403, name)

    def test_the_tenant_and_its_hosts(self):
        """threats B7, B8: the address names the tenant, the host must be its own."""
        before = door.metric("portcullis_guard_refusals_total", reason="host-mismatch")
        self.assertEqual(knock("headers", **{"X-Forwarded-Host": "erp.pass.example"}).status, 403)
        self.assertEqual(door.metric("portcullis_guard_refusals_total", reason="host-mismatch"), before + 1)
        self.assertIn("host-mismatch", door.stderr())
        for host in ("evil.example", "erp.headers.example, erp.pass.example", "user@erp.headers.example", "203.0.113.1", "[::1]", "wild.headers.example", " "):
            self.assertEqual(knock("headers", path="/auth", **{"X-Forwarded-Host": host}).status, 403, host)
        bodies = {knock("headers", path=path, **{"X-Forwarded-Host": host}).body
                  for path, host in (("/auth", "evil.example"), ("/v1/traefik/nobody", "erp.headers.example"), ("/v1/traefik/headers", "erp.pass.example"))}
        self.assertEqual(len(bodies), 1, "unknown host, unknown tenant and wrong host look alike")  # threats B54

    def test_a_peer_that_is_no_proxy(self):
        """threats B58."""
        set_of = documents()
        set_of[-1]["spec"]["trustedProxies"]["cidrs"] = ["10.42.0.0/16"]
        with harness.Door("guard", set_of) as other:
            self.assertEqual(other.get("/v1/traefik/pass", forwarded("pass")).status, 403)
            self.assertEqual(other.get("/healthz").status, 200)
            self.assertEqual(other.metric("portcullis_guard_refusals_total", reason="untrusted-peer"), 1)


class Limiting(unittest.TestCase):
    def test_logins_slow_down_after_the_burst_and_say_until_when(self):
        for n in range(LOGINS):
            self.assertEqual(knock("login", "/web/login", "POST").status, 200, n)
        answer = knock("login", "/web/login", "POST")
        self.assertEqual(answer.status, 429)
        retry, policy, limit = (answer.headers[name] for name in ("Retry-After", "RateLimit-Policy", "RateLimit"))
        self.assertRegex(retry, r"^\d+$")
        self.assertEqual(policy, f'"login-address";q={LOGINS};w={LOGINS * 60}')
        left = re.fullmatch(r'"login-address";r=0;t=(\d+)', limit)
        self.assertTrue(left, limit)
        self.assertTrue(1 <= int(left.group(1)) <= 60 and int(left.group(1)) <= int(retry) <= 90, (limit, retry))
        self.assertEqual(knock("login", "/web/login").status, 200)  # the page itself is another class
        self.assertEqual(knock("login", "/web/login", "POST", address="203.0.113.10").status, 200)  # another address
        for other in ("//web/login", "/fr/web/login", "/web%2Flogin", "/web/session/authenticate"):  # threats B28: one bucket for all doors
            self.assertEqual(knock("login", other, "POST").status, 429, other)

    def test_a_listed_office_has_its_factor(self):
        passed = 0
        while knock("login", "/web/login", "POST", address=OFFICE).status == 200:
            passed += 1
            self.assertLess(passed, 200)
        self.assertEqual(passed, 10 * LOGINS)

    def test_a_slash_64_is_one_client(self):
        """threats B22."""
        answers = [knock("churn", "/web/login", "POST", address=f"2001:db8:1:2::{n:x}").status for n in range(1, LOGINS + 2)]
        self.assertEqual(answers, [200] * LOGINS + [429])
        self.assertEqual(knock("churn", "/web/login", "POST", address="2001:db8:1:3::1").status, 200)

    def test_a_new_session_each_time_does_not_widen_the_address(self):
        """threats B13."""
        statuses = [knock("session", "/web/dataset/call_kw", "POST", Cookie="session_id=" + f"{n:x}" * 84).status for n in range(8)]
        self.assertEqual(statuses, [200] * 6 + [429] * 2)

    def test_the_plan_is_what_all_classes_share(self):
        self.assertEqual([knock("plan", "/").status for _ in range(4)], [200, 200, 200, 429])
        answer = knock("plan", "/blog", address="203.0.113.77")
        self.assertEqual(answer.status, 429)
        self.assertTrue(answer.headers["RateLimit"].startswith('"plan"'))

    def test_what_was_limited_passes_again_in_time(self):
        statuses = [knock("reset", "/web/login", "POST").status for _ in range(3)]
        self.assertEqual(statuses[:2], [200, 200])
        self.assertEqual(statuses[2], 429)
        started = time.monotonic()
        harness.eventually(lambda: knock("reset", "/web/login", "POST").status == 200, seconds=5, what="the limit's end")
        self.assertLess(time.monotonic() - started, 3)

    def test_shadow_mode_counts_and_lets_pass(self):
        for _ in range(LOGINS + 3):
            self.assertEqual(knock("shadow", "/web/login", "POST").status, 200)
        self.assertEqual(knock("shadow", "/web/database/manager").status, 200)
        self.assertEqual(door.metric("portcullis_guard_shadow_total", **{"class": "login"}), 3)
        self.assertEqual(door.metric("portcullis_guard_shadow_total", **{"class": "db-admin"}), 1)
        self.assertEqual(knock("shadow", **{"X-Forwarded-Host": "evil.example"}).status, 403)  # not a matter of limits

    def test_a_burst_from_many_connections_passes_exactly_its_bound(self):
        """threats B31: charged at once, whatever the loop."""
        import concurrent.futures

        def several(_):
            with contextlib.closing(door.connect()) as connection:
                return [knock("many", "/web/login", "POST", connection=connection).status for _ in range(10)]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            statuses = [status for part in pool.map(several, range(16)) for status in part]
        self.assertEqual((statuses.count(200), statuses.count(429)), (40, 120))


class Shapes(unittest.TestCase):
    def slowed(self, uri, **headers):
        knock("shapes", uri, "POST", **headers)
        answer = knock("shapes", uri, "POST", **headers)
        self.assertEqual(answer.status, 429)
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        self.assertLess(len(answer.body), 16384)
        return answer.headers["Content-Type"], answer.body

    def test_json_rpc(self):
        kind, body = self.slowed("/web/dataset/call_kw/res.partner/read", **{"Content-Type": "application/json"})
        self.assertEqual(kind, "application/json")
        error = json.loads(body)
        self.assertEqual((error["jsonrpc"], error["id"], error["error"]["code"]), ("2.0", None, 429))
        self.assertEqual(error["error"]["data"]["name"], "guard.RateLimited")

    def test_xml_rpc(self):
        kind, body = self.slowed("/xmlrpc/2/common", **{"Content-Type": "text/xml"})
        self.assertTrue(kind.startswith("text/xml"))
        with self.assertRaises(xmlrpc.client.Fault) as caught:
            xmlrpc.client.loads(body)
        self.assertEqual(caught.exception.faultCode, 429)

    def test_problem_json(self):
        kind, body = self.slowed("/json/2/res.partner/read", Accept="application/json", **{"Content-Type": "application/json"})
        self.assertEqual(kind, "application/problem+json")
        problem = json.loads(body)
        self.assertEqual(problem["status"], 429)
        self.assertTrue(problem["type"] and problem["title"])

    def test_pages_and_nothing(self):
        kind, body = self.slowed("/some/page", **{"Sec-Fetch-Mode": "navigate"})
        self.assertTrue(kind.startswith("text/html"))
        self.assertIn(b"<html", body)
        for uri in ("/web/image/1", "/websocket"):
            self.assertEqual(self.slowed(uri)[1], b"", uri)
        answer = knock("shapes", "/websocket", "POST")
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 10)


if __name__ == "__main__":
    unittest.main()
