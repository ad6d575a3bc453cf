"""Certificates by themselves: the replicas make, announce and renew their own, and no call fails meanwhile."""

import base64
import subprocess
import time

import pytest

from harness import install, wait
from harness.objects import workload
from harness.traffic import Load

LIFETIME = 60  # seconds; renewed after two thirds of it
NAMESPACE = "acme-floor"


@pytest.fixture(scope="module")
def gate(new_cluster, documents):
    """Installed without a certificate from anybody."""
    new_cluster.namespace(NAMESPACE)
    return install.Gate(new_cluster, documents, certificates="self", options=[f"--certificate-lifetime=PT{LIFETIME}S"])


def bundles(api):
    return {each["clientConfig"].get("caBundle") for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
            for each in api.get(kind, None, "portcullis").ok().object["webhooks"]}


def served(pod):
    shown = subprocess.run(["openssl", "s_client", "-connect", f"{pod.address}:8443", "-servername", "portcullis-webhook.portcullis-system.svc"],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20).stdout
    return shown.split("-----BEGIN CERTIFICATE-----")[1].split("-----END")[0] if "BEGIN CERTIFICATE" in shown else None


@pytest.mark.core
def test_installed_without_a_certificate_it_makes_and_announces_its_own(new_cluster, gate):
    found = bundles(new_cluster.admin)
    assert len(found) == 1 and b"BEGIN CERTIFICATE" in base64.b64decode(found.pop())
    assert new_cluster.admin.create(workload("Deployment", NAMESPACE, replicas=1)).status == 403
    assert new_cluster.admin.create(workload("Deployment", NAMESPACE, replicas=2), dry_run=True).status == 201
    for pod in gate.pods:
        assert "PRIVATE KEY" not in pod.stderr()


@pytest.mark.core
def test_a_bundle_that_somebody_broke_is_mended(new_cluster, gate):
    wanted = bundles(new_cluster.admin)
    configuration = new_cluster.admin.get("ValidatingWebhookConfiguration", None, "portcullis").ok().object
    for each in configuration["webhooks"]:
        each["clientConfig"].pop("caBundle")
    new_cluster.admin.replace(configuration).ok()
    wait.until(lambda: bundles(new_cluster.admin) == wanted, 90, "the caBundle again")


def test_renewals_under_load_fail_no_call(new_cluster, gate, figure):
    developer = new_cluster.tenant_user("dev@acme.example", [NAMESPACE])
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments?dryRun=All"
    leaves, begun = [], time.monotonic()
    with Load(new_cluster, developer, path, workload("Deployment", NAMESPACE, generateName="odoo-"), rate=50) as running:
        while len(leaves) < 4:
            wait.until(lambda: served(gate.pods[0]) not in (None, *leaves[-1:]), 2 * LIFETIME, "the next leaf", poll=0.5)
            leaves.append(served(gate.pods[0]))
        result = running.stop()
    figure(f"{len(leaves) - 1} renewals in {time.monotonic() - begun:.0f} s, {result['requests']} creates, failed: {result.other_than(201) or 0}; {result.times(201)}")
    assert not result.other_than(201)
