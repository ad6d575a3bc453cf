"""examples/compose and manifests/sidecar run as they are written: the same files and options, with the real Traefik and guard; only
addresses, paths and the certificate's source are this machine's."""

import contextlib
import http.client
import json
import shutil
import ssl
import subprocess

import pytest
import yaml

from harness import guard, odoo_fake, ports, tools, wait
from harness.traefik import Answer, rendered

pytestmark = pytest.mark.core

COMPOSE = tools.ROOT / "examples/compose"
SIDECAR = tools.ROOT / "manifests/sidecar"
HOST = "erp.acme.example"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def rewritten(text, changes):
    for old, new in changes.items():
        assert old in text, f"{old} is not in the file any more"
        text = text.replace(old, str(new))
    return text


def ask(port, path, method="GET", body=None, tls=True, **headers):
    context = ssl._create_unverified_context()
    with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", port, timeout=40, context=context) if tls else http.client.HTTPConnection("127.0.0.1", port, timeout=40)) as connection:
        connection.request(method, path, body=body, headers={"Host": HOST, **headers})
        got = connection.getresponse()
        return Answer(got.status, got.headers, got.read())


def answers(port, **more):
    try:
        return ask(port, "/web/login", **more).status != 404  # Traefik's own, before it has read its files
    except (OSError, http.client.HTTPException):
        return False


@contextlib.contextmanager
def running(command, directory):
    with open(directory / "traefik.out", "wb") as output:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=wait.dies_with_parent)
    try:
        yield process
    finally:
        wait.end(process)


def check_the_way(port, one, odoo, log):
    """What both ways of running promise: a page, a login told of by the access log, the database manager seen."""
    assert ask(port, "/web/login").status == 200
    failures = one.metric("portcullis_guard_login_failures_total")
    assert ask(port, "/web/login", "POST", b"login=cfo&password=wrong", **FORM).status == 200
    wait.until(lambda: one.metric("portcullis_guard_login_failures_total") == failures + 1, 10, "the failed login told by the access log")
    assert json.loads(log.read_text().splitlines()[-1])["ClientUsername"].startswith("pg-")
    assert ask(port, "/web/login", "POST", f"login={odoo_fake.LOGIN}&password=correct+horse".encode(), **FORM).status == 303
    assert ask(port, "/web/login", **{"X_Forwarded_Host": "evil.example"}).status == 400
    before = one.metric("portcullis_guard_shadow_total", **{"class": "db-admin"})
    assert ask(port, "/web/database/manager").status == 200, "mode: shadow"
    assert one.metric("portcullis_guard_shadow_total", **{"class": "db-admin"}) == before + 1
    assert {seen.headers["x-forwarded-proto"] for seen in odoo.seen()} == {"https"}


def options_of(words):
    """What is left of the guard's options when the harness has set its own addresses and documents."""
    assert words[0] == "guard"
    return [word for word in words[1:] if word.split("=")[0] not in ("--config", "--listen", "--metrics-listen", "--threads", "--access-log")]


def test_compose(tmp_path):
    compose = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    web, websecure, ping = ports.free(3)
    log = tmp_path / "log/access.log"
    log.parent.mkdir()
    documents, dynamic = tmp_path / "documents", tmp_path / "dynamic"
    shutil.copytree(COMPOSE / "documents", documents)
    shutil.copytree(COMPOSE / "traefik/dynamic", dynamic)
    gate = compose["networks"]["gate"]["ipam"]["config"][0]["subnet"]
    (documents / "guard.yaml").write_text(rewritten((documents / "guard.yaml").read_text(), {gate: "127.0.0.0/8"}))
    words = compose["services"]["guard"]["command"]
    assert "--access-log=/var/log/traefik/access.log" in words
    with contextlib.ExitStack() as stack:
        odoo = stack.enter_context(odoo_fake.OdooFake())
        one = stack.enter_context(guard.Guard(documents, options=[*options_of(words), f"--access-log={log}"]))
        (dynamic / "guard.yaml").write_text(rewritten((dynamic / "guard.yaml").read_text(), {"http://guard:9000": one.url}))
        (dynamic / "odoo.yaml").write_text(rewritten((dynamic / "odoo.yaml").read_text(), {"http://odoo:8069": odoo.url, "http://odoo:8072": odoo.url}))
        static = tmp_path / "traefik.yaml"
        static.write_text(rewritten((COMPOSE / "traefik/traefik.yaml").read_text(), {
            '":80"': f"127.0.0.1:{web}", '":443"': f"127.0.0.1:{websecure}", "127.0.0.1:8082": f"127.0.0.1:{ping}", "/etc/traefik/dynamic": dynamic,
            "/var/log/traefik/access.log": log, "tls: {certResolver: letsencrypt}": "tls: {}",  # no ACME here: Traefik's own certificate
            "/acme/acme.json": tmp_path / "acme.json"}))
        traefik = stack.enter_context(running([tools.tool("traefik"), f"--configFile={static}"], tmp_path))
        wait.until(lambda: answers(websecure), 30, f"Traefik ({(tmp_path / 'traefik.out').read_text()})")
        check_the_way(websecure, one, odoo, log)
        redirect = ask(web, "/web/login", tls=False)
        assert (redirect.status, redirect.headers["Location"].split("://")[0]) == (301, "https")
        healthy = subprocess.run([tools.tool("traefik"), "healthcheck", f"--configFile={static}"], capture_output=True, timeout=30)
        assert healthy.returncode == 0, healthy.stderr
        assert traefik.poll() is None


def test_sidecar(tmp_path):
    pod = yaml.safe_load((SIDECAR / "traefik.yaml").read_text())["spec"]["template"]["spec"]
    containers = {each["name"]: each for each in pod["containers"]}
    websecure, ping = ports.free(2)
    log = tmp_path / "log/access.log"
    log.parent.mkdir()
    documents = tmp_path / "documents"
    shutil.copytree(SIDECAR / "documents", documents)
    (documents / "tenants.yaml").write_text(yaml.safe_dump(guard.tenant("acme", {"plan": "wide"})))
    policy = yaml.safe_load((documents / "guard.yaml").read_text())
    policy["spec"]["plans"] = {"wide": {"factor": 1}}
    (documents / "guard.yaml").write_text(yaml.safe_dump(policy))
    with contextlib.ExitStack() as stack:
        odoo = stack.enter_context(odoo_fake.OdooFake())
        one = stack.enter_context(guard.Guard(documents, options=[*options_of(containers["portcullis-guard"]["args"]), f"--access-log={log}"]))
        parts = rendered(documents, "--guard-url", one.url)
        services = {router["service"]: {"loadBalancer": {"servers": [{"url": odoo.url}]}} for router in parts["routers"].values()}
        (tmp_path / "dynamic.yaml").write_text(yaml.safe_dump({"http": {**parts, "services": services}}))
        args = "\n".join(containers["traefik"]["args"])
        args = rewritten(args, {"--entryPoints.websecure.address=:8443": f"--entryPoints.websecure.address=127.0.0.1:{websecure}",
                                "--providers.kubernetescrd=true": f"--providers.file.filename={tmp_path / 'dynamic.yaml'}", "/var/log/traefik/access.log": log}).split("\n")
        stack.enter_context(running([tools.tool("traefik"), *args, f"--entryPoints.traefik.address=127.0.0.1:{ping}"], tmp_path))
        wait.until(lambda: answers(websecure), 30, f"Traefik ({(tmp_path / 'traefik.out').read_text()})")
        assert ask(ping, "/ping", tls=False).status == 200
        check_the_way(websecure, one, odoo, log)


def test_the_access_log_is_kept_short_by_the_sidecars_own_script(tmp_path):
    """Its words, with a shorter pause and a smaller bound."""
    pod = yaml.safe_load((SIDECAR / "traefik.yaml").read_text())["spec"]["template"]["spec"]
    keeper, = (each for each in pod["containers"] if each["name"] == "access-log")
    assert keeper["command"][:2] == ["sh", "-c"]
    log = tmp_path / "access.log"
    script = rewritten(keeper["command"][2], {"/var/log/traefik/access.log": log, "sleep 30": "sleep 0.05", "268435456": "1000"})
    with running(["sh", "-c", script], tmp_path) as process:
        log.write_bytes(b"x" * 900)
        with open(log, "ab") as file:
            file.write(b"y" * 200)
            file.flush()
            wait.until(lambda: log.stat().st_size == 0, 10, "the log emptied")
            file.write(b"z" * 10)
        assert log.read_bytes() == b"z" * 10
        process.terminate()
        assert process.wait(5) == 0, "it ends when it is told to"
