"""no-inline-secret: found, told, and never repeated: not to the user, not in the audit log, not in the decision log."""

import json

import pytest

from harness.objects import config_map, container, pod_spec, workload

pytestmark = pytest.mark.core
SECRET = "demo-4f9Qz81xLmT2"


def test_a_password_in_a_variable_is_denied_and_never_repeated(ask, cluster, gate):
    spec = pod_spec(container(env=[{"name": "DB_PASSWORD", "value": SECRET}]))
    answer = ask.denied(workload("Deployment", "acme-inline", spec, generateName="odoo-"), "no-inline-secret")
    assert SECRET.encode() not in answer.body
    assert SECRET not in json.dumps(cluster.audit(answer))
    assert gate.decisions() and SECRET not in json.dumps(gate.decisions())
    for pod in gate.pods:
        assert SECRET not in pod.stderr()


def test_a_reference_is_let_in(ask):
    reference = [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "acme-db", "key": "password"}}}]
    ask.allowed(workload("Deployment", "acme-inline", pod_spec(container(env=reference)), generateName="odoo-"), dry_run=True)


def test_a_password_in_a_config_map_is_denied(ask):
    ask.denied(config_map("acme-inline", {"odoo.conf": f"[options]\nadmin_passwd = {SECRET}\n"}), "no-inline-secret")
    ask.allowed(config_map("acme-inline", {"odoo.conf": "[options]\nlist_db = False\n"}), dry_run=True)


def test_what_kubectl_apply_writes_is_found_too(ask, cluster):
    """The annotation last-applied-configuration holds the whole manifest once more."""
    developer = ask.developer("acme-inline")
    manifest = json.dumps(workload("Deployment", "acme-inline", pod_spec(container(env=[{"name": "DB_PASSWORD", "value": SECRET}]))))
    done = cluster.kubectl("apply", "-f", "-", text=manifest, user="dev@acme.example", check=False)
    assert developer and done.returncode == 1 and "no-inline-secret" in done.stderr and "last-applied-configuration" in done.stderr
