"""What `portcullis render middleware` prints is taken by a real API server with Traefik's own custom resources, word for word, and
the comment in it is an IngressRoute."""

import re
import subprocess

import pytest
import yaml

from harness import tools, wait
from harness.cluster import Cluster

pytestmark = pytest.mark.core
EXAMPLE = tools.ROOT / "manifests/example"
PARTS = {"portcullis-headers", "portcullis-guard", "portcullis-login-guard", "portcullis", "portcullis-login"}


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as started:
        started.kubectl("apply", "--server-side", "-f", tools.tool("traefik-crds.yaml"))
        for plural in ("middlewares", "ingressroutes"):
            wait.until(lambda: subprocess.run([str(tools.tool("kubectl")), "--kubeconfig", str(started.admin_kubeconfig), "get", f"{plural}.traefik.io"],
                                              capture_output=True, timeout=60).returncode == 0, 30, f"{plural} served")
        for name in ("meridian-finance-prod", "meridian-finance-staging", "nordhaven-wms-prod", "nordhaven-wms-qa", "lotus-training", "lotus-cutover-7"):
            started.kubectl("create", "namespace", name)
        yield started


def render(*words):
    return subprocess.run([str(tools.PROGRAM), "render", "middleware", "--config", str(EXAMPLE / "documents"), *words], capture_output=True, text=True, check=True, timeout=60).stdout


def names(text):
    return [each["metadata"]["name"] for each in yaml.safe_load_all(text) if each]


def test_every_tenants_middlewares_are_taken(cluster):
    for text in (render(), render("--tenant", "lotus-stores", "--into", "lotus-cutover-7")):
        cluster.kubectl("apply", "--validate=strict", "-f", "-", text=text)
    for name in ("nordhaven-wms-prod", "lotus-cutover-7"):
        assert set(cluster.kubectl("get", "middlewares.traefik.io", "-n", name, "-o", "name").stdout.replace("middleware.traefik.io/", "").split()) == PARTS
    stored = yaml.safe_load(cluster.kubectl("get", "middlewares.traefik.io", "portcullis-headers", "-n", "nordhaven-wms-prod", "-o", "yaml").stdout)
    assert stored["spec"]["headers"]["customRequestHeaders"] == {"X-Forwarded-Uri": "", "X-Forwarded-Method": ""}, "an empty value is kept: it deletes"


def test_the_route_in_the_comment_is_one(cluster):
    text = render("--tenant", "nordhaven-supply", "--into", "nordhaven-wms-prod")
    shown = re.sub(r"^# ?", "", text[text.index("# ---\n"):], flags=re.M)
    assert names(shown) == ["odoo"]
    cluster.kubectl("apply", "--validate=strict", "-f", "-", text=shown)


def test_the_example_is_taken(cluster):
    cluster.kubectl("apply", "--validate=strict", "-f", EXAMPLE / "traefik")
