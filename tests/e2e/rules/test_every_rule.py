"""What holds whatever the rule: every rule has its case here, all findings come in one answer, and who is not judged at all."""

import pathlib
import re

import pytest

from harness import tools
from harness.objects import TAGGED, container, pod_spec, workload

pytestmark = pytest.mark.core


def test_every_rule_has_its_case():
    rules = re.findall(r"^PORTCULLIS_RULE\((\w+)\)", (tools.ROOT / "policy/rule/rules.def").read_text(), re.M)
    cases = {path.stem.removeprefix("test_") for path in pathlib.Path(__file__).parent.glob("test_*.py")}
    assert rules and set(rules) <= cases, f"rules without an end-to-end case: {set(rules) - cases}"


def test_all_findings_of_all_rules_come_in_one_answer(ask):
    """The API server shows one webhook's message only."""
    spec = pod_spec(container(image="docker.io/acme/odoo:17", resources={}, env=[{"name": "DB_PASSWORD", "value": "demo-4f9Qz81xLmT2"}],
                              envFrom=[{"secretRef": {"name": "globex-db"}}]))
    ask.denied(workload("Deployment", "acme-all", spec, replicas=1, generateName="odoo-"), "anti-affinity", "container-bounds", "image-digest",
               "image-registry", "no-inline-secret", "replica-floor", "secret-reference")
    ask.allowed(workload("Deployment", "acme-all", generateName="odoo-"), dry_run=True)


def test_a_namespace_of_nobody_is_denied(ask, cluster):
    answer = cluster.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "globex-prod"}})
    assert answer.status == 403 and "globex-prod" in answer.message
    answer = cluster.admin.create(workload("Deployment", "default"))
    assert answer.status == 403 and "`default`" in answer.message
    assert ask.annotations(answer)["decision"] == "deny"


def test_a_system_namespace_is_never_asked_about(cluster, ask):
    cluster.namespace("kube-system", create=False)
    for namespace in ("kube-system", "portcullis-system"):
        answer = cluster.admin.create(workload("Deployment", namespace, pod_spec(container(image=TAGGED)), replicas=1), dry_run=True).ok(201)
        assert ask.annotations(answer) == {}


def test_a_dry_run_is_judged_and_noted_as_one(ask, gate):
    answer = ask.denied(workload("Deployment", "acme-floor", replicas=1), "replica-floor", dry_run=True)
    assert answer.status == 403
    assert any(record.get("dry") for record in gate.decisions(kind="admission"))


def test_deletion_is_never_stopped(ask):
    developer = ask.developer("acme-before-deletion")
    developer.create(workload("Deployment", "acme-before-deletion", pod_spec(container(image=TAGGED)), name="flawed", replicas=0)).ok(201)
    with ask.policy("Policy", "deletion", match={"namespaces": ["acme-before-deletion"]}, rules=[{"id": "image-digest"}]):
        developer.delete("Deployment", "acme-before-deletion", "flawed").ok()


def test_an_old_object_of_a_generated_version_is_judged_as_v1(ask):
    """matchPolicy Equivalent: another version of the same kind is converted for us."""
    developer = ask.developer("acme-floor")
    hpa = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web", "namespace": "acme-floor"},
           "spec": {"minReplicas": 2, "maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}
    developer.request("POST", "/apis/autoscaling/v1/namespaces/acme-floor/horizontalpodautoscalers?dryRun=All", hpa).ok(201)
