"""A denial is understood by its caller, whole, through Traefik: an XML-RPC library, Odoo's web client, an API client, a browser."""

import http.client
import shutil
import socket
import subprocess
import tempfile
import xmlrpc.client

import pytest

from harness import guard
from harness.stage import Stage

pytestmark = pytest.mark.core

LIMITED = ("rpc-legacy", "rpc-web", "rpc-json2", "image", "other", "login", "export", "report", "public", "health")
ONCE = {"limits": [{"key": "address", "rate": "1/h", "burst": 1}]}
BROWSER_SECONDS_MAX = 60


@pytest.fixture(scope="module")
def stage():
    tenants = [guard.tenant(name, {"plan": "wide", "classes": {each: ONCE for each in LIMITED}, "access": [{"classes": ["rpc-legacy"], "default": "allow"}]})
               for name in ("shapes", "logins")]  # credentials count as logins by whatever door they come, so logins have a tenant of their own
    with Stage([guard.platform(), *tenants, guard.policy()]) as started:
        yield started


class ThroughTraefik(xmlrpc.client.Transport):
    def __init__(self, stage):
        super().__init__()
        self.stage = stage

    def make_connection(self, host):
        connection = http.client.HTTPConnection(host)
        connection._create_connection = lambda *_: socket.create_connection(self.stage.traefik.web, timeout=20)
        return connection


def slowed(stage, path, method="POST", body=b"{}", tenant="shapes", **headers):
    """The answer to the second of two requests, of which the class lets one pass."""
    assert stage.ask(tenant, path, method, body=body, headers=headers).status not in (400, 403, 429, 500)
    answer = stage.ask(tenant, path, method, body=body, headers=headers)
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) >= 1 and "RateLimit" in answer.headers and "RateLimit-Policy" in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert int(answer.headers["Content-Length"]) == len(answer.body) < 16384
    return answer


def test_an_xml_rpc_client_raises_a_fault(stage):
    odoo = xmlrpc.client.ServerProxy("http://erp.shapes.example/xmlrpc/2/common", transport=ThroughTraefik(stage))
    assert odoo.version()["server_version"] == "18.0"
    with pytest.raises(xmlrpc.client.ProtocolError) as caught:
        odoo.version()
    # Python's client looks at the status first; the fault is in the body for those that do not, and for who reads the headers.
    assert caught.value.errcode == 429 and int(caught.value.headers["Retry-After"]) >= 1
    answer = stage.ask("shapes", "/xmlrpc/2/common", "POST", body=b"<methodCall/>", headers={"Content-Type": "text/xml"})
    with pytest.raises(xmlrpc.client.Fault) as fault:
        xmlrpc.client.loads(answer.body)
    assert fault.value.faultCode == 429


def test_the_web_client_reads_a_json_rpc_error(stage):
    """It ignores the status, and would take a body without `error` for success."""
    answer = slowed(stage, "/web/dataset/call_kw/res.partner/read", body=b'{"jsonrpc":"2.0","id":7,"params":{}}', **{"Content-Type": "application/json"})
    told = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert (told["jsonrpc"], told["error"]["code"], told["error"]["data"]["name"]) == ("2.0", 429, "guard.RateLimited")
    assert told["error"]["message"] and told["error"]["data"]["message"]


def test_a_json_login_reads_a_json_rpc_error(stage):
    login = b'{"jsonrpc":"2.0","params":{"login":"a","password":"b"}}'
    answer = slowed(stage, "/web/session/authenticate", body=login, tenant="logins", **{"Content-Type": "application/json"})
    assert answer.json()["error"]["code"] == 429


def test_an_api_client_reads_a_problem(stage):
    answer = slowed(stage, "/json/2/res.partner/read", Accept="application/json", Authorization="Bearer a-key", **{"Content-Type": "application/json"})
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 429 and answer.json()["title"]


def test_files_and_probes_get_nothing_but_a_status(stage):
    for path in ("/web/image/res.partner/1/avatar_128", "/web/health"):
        assert slowed(stage, path, "GET", None, Accept="image/avif,image/webp,*/*").body == b""


def test_a_report_in_a_browser_is_a_page(stage):
    assert b"<html" in slowed(stage, "/report/pdf/sale.report/1", "GET", None, **{"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}).body


def browse(stage, url):
    """What a browser shows, as HTML, of a first visit."""
    profile = tempfile.mkdtemp(prefix="portcullis-chromium-")
    try:
        host, port = stage.traefik.websecure if url.startswith("https") else stage.traefik.web
        done = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                               "--disable-background-networking", "--disable-component-update", "--ignore-certificate-errors", f"--user-data-dir={profile}",
                               f"--host-resolver-rules=MAP erp.shapes.example:* {host}:{port}", "--dump-dom", url],
                              capture_output=True, text=True, timeout=BROWSER_SECONDS_MAX)
        return done.stdout
    finally:
        shutil.rmtree(profile, ignore_errors=True)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium here: scripts/setup.sh e2e")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_person_reads_a_page(stage, scheme):
    """Over https the browser says by Sec-Fetch-Mode that a person waits, over http by Accept alone."""
    stage.ask("shapes", "/", headers={"Accept": "text/html"})
    shown = browse(stage, f"{scheme}://erp.shapes.example/")
    assert "<title>Too Many Requests</title>" in shown and "Try again in" in shown, shown
    assert "shapes" not in shown and "<script" not in shown, "no tenant is named, and nothing runs"
