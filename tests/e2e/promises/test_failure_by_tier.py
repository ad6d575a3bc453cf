"""When no replica answers: what is refused and what goes on, by tier, as the documents say."""

import signal

import pytest

from harness import install
from harness.objects import workload

pytestmark = pytest.mark.core


def document(kind, name, **spec):
    return {"apiVersion": "portcullis.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


DOCUMENTS = {"tiers.yaml": [
    document("Platform", "hoster", environments=["production"], unknownNamespace="deny",
             systemNamespaces=["kube-system", "kube-public", "kube-node-lease", "portcullis-system"]),
    *(document("Tenant", f"t{tier}", tier=tier, timeZone="Europe/Zurich", namespaces=[{"name": f"tier-{tier}", "environment": "production", "tenancy": "multi-tenant"}])
      for tier in (1, 2, 3)),
    document("Policy", "closed", match={"tiers": [1, 2]}, rules=[{"id": "replica-floor", "with": {"min": 2}}]),
    document("Policy", "open", match={"tiers": [3]}, mode="warn", rules=[{"id": "replica-floor", "with": {"min": 2}}])]}


@pytest.fixture(scope="module")
def dead(new_cluster):
    gate = install.Gate(new_cluster, DOCUMENTS)
    for tier in (1, 2, 3):
        new_cluster.namespace(f"tier-{tier}")
    assert new_cluster.admin.create(workload("Deployment", "tier-1", replicas=1), dry_run=True).status == 403
    assert new_cluster.admin.create(workload("Deployment", "tier-3", replicas=1), dry_run=True).ok(201).warnings
    for pod in gate.pods:
        pod.hold = True
        pod.process.send_signal(signal.SIGKILL)
        pod.process.wait()
    return new_cluster


@pytest.mark.parametrize("tier", [1, 2])
def test_a_write_of_a_tier_that_fails_closed_is_refused_with_an_error(dead, tier):
    answer = dead.admin.create(workload("Deployment", f"tier-{tier}", replicas=2), dry_run=True)
    assert answer.status == 500 and f"validate-tier-{tier}.portcullis.dev" in answer.message, answer.body


def test_a_write_of_a_tier_that_fails_open_goes_on_and_the_audit_log_says_so(dead):
    answer = dead.admin.create(workload("Deployment", "tier-3", replicas=1), dry_run=True).ok(201)
    annotations = dead.audit(answer)["annotations"]
    assert any("failed-open" in key for key in annotations), annotations


def test_a_namespace_without_a_label_is_judged_by_the_strictest(dead):
    """One that nobody labelled, such as any that was there before the gate."""
    answer = dead.admin.create(workload("Deployment", "default", replicas=2), dry_run=True)
    assert answer.status == 500 and "validate-tier-1.portcullis.dev" in answer.message, answer.body


def test_the_gates_own_namespace_can_always_be_repaired(dead):
    for namespace in ("portcullis-system", "kube-system"):
        dead.admin.create(workload("Deployment", namespace, replicas=2), dry_run=True).ok(201)
