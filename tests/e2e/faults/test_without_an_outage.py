"""Certificates that change, and replicas that are replaced, while 200 creates a second go through the gate: no call fails."""

import base64
import os
import socket
import ssl
import subprocess
import time

import pytest

from harness import install, kubelet, objects, tools, wait
from harness.traffic import Load

pytestmark = pytest.mark.faults
RATE = 200
ROTATIONS = int(os.environ.get("PORTCULLIS_ROTATIONS", "1000"))
RESTARTS = int(os.environ.get("PORTCULLIS_RESTARTS", "50"))
PAIRS = 16  # made beforehand and taken in turn
NAMESPACE = "acme-floor"
PATH = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments?dryRun=All"


@pytest.fixture(scope="module")
def gate(new_cluster, documents):
    kubelet.SYNC_SECONDS, usual = 0.2, kubelet.SYNC_SECONDS
    yield install.Gate(new_cluster, documents)
    kubelet.SYNC_SECONDS = usual


def load(cluster):
    cluster.namespace(NAMESPACE)
    developer = cluster.tenant_user("dev@acme.example", [NAMESPACE])
    return Load(cluster, developer, PATH, objects.workload("Deployment", NAMESPACE, generateName="odoo-"), rate=RATE)


def served(pod):
    """The leaf that a replica shows to a new connection."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((pod.address, 8443), timeout=10) as plain, context.wrap_socket(plain, server_hostname="portcullis-webhook") as tls:
        return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True)).strip()


def pairs(gate):
    """Leaves of the gate's CA, each another key."""
    certs = gate.dir / "certs"
    found = []
    for _ in range(PAIRS):
        subprocess.run([str(tools.PROGRAM), "certs", "init", "--dir", str(certs), "--namespace", "portcullis-system"], check=True, capture_output=True)
        found.append({name: base64.b64encode((certs / f"portcullis-webhook.{end}").read_bytes()).decode() for name, end in (("tls.crt", "pem"), ("tls.key", "key"))})
    return found


def test_a_thousand_rotations(new_cluster, gate, figure):
    leaves = pairs(gate)
    begun = time.monotonic()
    with load(new_cluster) as running:
        for done in range(ROTATIONS):
            leaf = leaves[done % PAIRS]
            new_cluster.admin.patch("Secret", "portcullis-system", "portcullis-webhook-tls", {"data": leaf}).ok()
            wanted = base64.b64decode(leaf["tls.crt"]).decode().strip()
            wait.until(lambda: all(served(pod) == wanted for pod in gate.pods), 20, f"rotation {done} in every replica", poll=0.1)
        result = running.stop()
    figure(f"{ROTATIONS} rotations in {time.monotonic() - begun:.0f} s, {result['requests']} creates ({result['per_second']}/s), failed: "
           f"{result.other_than(201) or 0}, turned away by the API server for a second: {result['throttled']}; {result.times(201)}")
    assert not result.other_than(201)
    assert result["per_second"] > RATE * 0.9


def test_fifty_rolling_restarts(new_cluster, gate, figure):
    begun, uids = time.monotonic(), set()
    with load(new_cluster) as running:
        for _ in range(RESTARTS):
            new_cluster.kubectl("-n", "portcullis-system", "rollout", "restart", "deployment/portcullis-webhook")
            new_cluster.kubectl("-n", "portcullis-system", "rollout", "status", "deployment/portcullis-webhook", "--timeout=300s", timeout=310)
            uids |= {pod.uid for pod in gate.pods}
        result = running.stop()
    figure(f"{RESTARTS} rolling restarts, {len(uids)} pods, in {time.monotonic() - begun:.0f} s, {result['requests']} creates ({result['per_second']}/s), "
           f"failed: {result.other_than(201) or 0}, turned away by the API server for a second: {result['throttled']}; {result.times(201)}")
    assert len(uids) >= RESTARTS * gate.replicas
    assert not result.other_than(201), result.other_than(201)
