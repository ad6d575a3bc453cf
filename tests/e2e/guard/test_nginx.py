"""manifests/nginx as shipped, with the real nginx: auth_request knows 401 and 403 alone, and callers read their own words all the same."""

import contextlib
import xmlrpc.client

import pytest

from harness import guard, nginx, odoo_fake, pki, tools, wait
from harness.traefik import Answer

pytestmark = pytest.mark.core

NGINX = tools.ROOT / "manifests/nginx"
ONCE = {"limits": [{"key": "address", "rate": "1/h", "burst": 1}]}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Front:
    """nginx, guard and Odoo. The files are those of the repository; only addresses, paths and the tenant's listener are the test's."""

    def __init__(self, stack, directory, documents, tenant):
        log = directory / "access.log"
        log.touch()
        log.chmod(0o666)
        config = guard.write_documents(directory / "documents", documents)
        self.guard = stack.enter_context(guard.Guard(config, options=["--access-log", log]))
        self.odoo = stack.enter_context(odoo_fake.OdooFake())
        certificate, key = pki.Authority(directory / "pki").sign("front", usage="serverAuth", names=["localhost"])
        server = directory / "portcullis-server.conf"
        server.write_text((NGINX / "portcullis-server.conf").read_text())
        text = (NGINX / "portcullis.conf").read_text() + (NGINX / "odoo.conf").read_text()
        odoo = f"{self.odoo.address[0]}:{self.odoo.address[1]}"
        for old, new in {"127.0.0.1:9000": f"127.0.0.1:{self.guard.port}", "127.0.0.1:8069": odoo, "127.0.0.1:8072": odoo, "/etc/nginx/portcullis-server.conf": str(server),
                         "/var/log/nginx/portcullis.log": str(log), "/etc/ssl/acme.pem": str(certificate), "/etc/ssl/acme.key": str(key),
                         "listen 443 ssl http2": "listen 127.0.0.1:{port}", "erp.acme.example": f"erp.{tenant}.example", "portcullis_tenant acme": f"portcullis_tenant {tenant}"}.items():
            assert old in text, old
            text = text.replace(old, new)
        self.host, self.tenant = f"erp.{tenant}.example", tenant
        self.nginx = stack.enter_context(nginx.Nginx(text))

    def ask(self, path, method="GET", body=None, **headers):
        with contextlib.closing(self.nginx.connect()) as connection:
            connection.request(method, path, body=body, headers={"Host": self.host, **headers})
            got = connection.getresponse()
            return Answer(got.status, got.headers, got.read())


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    directory = tmp_path_factory.mktemp("nginx")
    directory.parent.chmod(0o755)
    directory.chmod(0o755)
    limited = {name: ONCE for name in ("rpc-legacy", "rpc-web", "rpc-json2", "image", "other", "ws-connect")}
    documents = [guard.platform(), guard.tenant("shapes", {"plan": "wide", "classes": limited, "access": [{"classes": ["rpc-legacy"], "default": "allow"}]}), guard.policy()]
    with contextlib.ExitStack() as stack:
        yield Front(stack, directory, documents, "shapes")


def test_what_passes_reaches_odoo(front):
    front.odoo.forget()
    answer = front.ask("/web/login?a=%2F", **{"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "evil.example", "X-Guard-Id": "invented", "X-Forwarded-Uri": "/web/health"})
    assert answer.status == 200 and not [name for name in answer.headers if name.lower().startswith("x-guard")]
    seen, = front.odoo.seen()
    assert (seen.target, seen.headers["x-forwarded-host"], seen.headers["x-forwarded-for"]) == ("/web/login?a=%2F", front.host, "127.0.0.1")
    assert seen.guard_id is None


def test_the_guard_judges_what_nginx_saw(front):
    for headers in ({}, {"X-Forwarded-Uri": "/web/health", "X-Forwarded-Method": "GET"}, {"X_Forwarded_For": "192.0.2.241"}, {"X.Forwarded.Host": "evil.example"}):
        front.odoo.forget()
        answer = front.ask("//web/database/manager", "POST", b"", Accept="text/html", **headers)
        assert answer.status == 403 and front.odoo.seen() == [], headers
        record = front.guard.decisions(**{"class": "db-admin"})[-1]
        assert (record["method"], record["path"], record["tenant"]) == ("POST", "//web/database/manager", "shapes")


def test_a_person_reads_a_page(front):
    answer = front.ask("/web/database/manager", Accept="text/html")
    assert (answer.status, answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (403, "text/html; charset=utf-8", "no-store")
    assert b"<title>Forbidden</title>" in answer.body and "Retry-After" not in answer.headers
    assert len(answer.headers.get_all("Content-Type")) == 1


def slowed(front, path, method="POST", body=b"{}", **headers):
    assert front.ask(path, method, body, **headers).status not in (400, 403, 429, 500)
    answer = front.ask(path, method, body, **headers)
    assert answer.status == 429 and int(answer.headers["Retry-After"]) >= 1
    return answer


def test_the_web_client_reads_a_json_rpc_error(front):
    answer = slowed(front, "/web/dataset/call_kw/res.partner/read", **{"Content-Type": "application/json"})
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["error"]["code"] == 429 and answer.json()["error"]["data"]["message"]


def test_an_xml_rpc_library_reads_a_fault(front):
    call = xmlrpc.client.dumps((), "version").encode()
    answer = slowed(front, "/xmlrpc/2/common", body=call, **{"Content-Type": "text/xml"})
    with pytest.raises(xmlrpc.client.Fault) as fault:
        xmlrpc.client.loads(answer.body)
    assert fault.value.faultCode == 429


def test_an_api_client_reads_a_problem(front):
    answer = slowed(front, "/json/2/res.partner/read", Accept="application/json", Authorization="Bearer a-key", **{"Content-Type": "application/json"})
    assert answer.headers["Content-Type"] == "application/problem+json" and answer.json()["status"] == 429


def test_files_get_nothing_but_a_status(front):
    answer = slowed(front, "/web/image/res.partner/1/avatar_128", "GET", None)
    assert answer.body == b"" and "Content-Type" not in answer.headers


def test_what_is_malformed_is_400(front):
    assert front.ask("/web/%zz").status == 400


def test_odoos_own_403_is_let_be(front):
    answer = front.ask("/my/orders/7", Accept="text/html")
    assert answer.status == 403 and b"403: Forbidden" in answer.body and "no-store" not in (answer.headers["Cache-Control"] or "")
    assert front.ask("/no/such/page").status == 404


def test_a_denial_is_judged_once(front):
    """The named location does not ask again."""
    before = front.guard.metric("portcullis_guard_request_duration_seconds_count")
    assert front.ask("/web/database/selector").status == 403
    assert front.guard.metric("portcullis_guard_request_duration_seconds_count") == before + 1


def test_what_became_of_logins_is_told_by_nginxs_log(front):
    def told(outcome):
        return front.guard.metric("portcullis_guard_logins_total", outcome=outcome)
    failed, succeeded = told("failed"), told("succeeded")
    assert front.ask("/web/login", "POST", b"login=a&password=wrong", **FORM).status == 200
    wait.until(lambda: told("failed") == failed + 1, 10, "the failure told by nginx's log")
    assert front.ask("/web/login", "POST", f"login={odoo_fake.LOGIN}&password=correct+horse".encode(), **FORM).status == 303
    wait.until(lambda: told("succeeded") == succeeded + 1, 10, "the success told by nginx's log")


def test_without_a_guard_everything_is_500(tmp_path):
    documents = [guard.platform(), guard.tenant("acme"), guard.policy()]
    tmp_path.chmod(0o755)
    with contextlib.ExitStack() as stack:
        front = Front(stack, tmp_path, documents, "acme")
        assert front.ask("/web/login").status == 200
        front.guard.kill()
        assert front.ask("/web/login").status == 500
