"""replica-floor: on the object and on its `scale`; exceptions by name."""

import pytest

from harness.objects import workload

pytestmark = pytest.mark.core
NAMESPACE = "acme-floor"


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"])
def test_one_replica_is_too_few(ask, kind):
    ask.denied(workload(kind, NAMESPACE, replicas=1, generateName="odoo-"), "replica-floor", field="spec.replicas")
    ask.allowed(workload(kind, NAMESPACE, replicas=2, generateName="odoo-"), dry_run=True)
    ask.allowed(workload(kind, NAMESPACE, replicas=0, generateName="odoo-"), dry_run=True)


def test_scaling_below_the_floor_is_denied(ask):
    developer = ask.developer(NAMESPACE)
    developer.create(workload("Deployment", NAMESPACE, name="scaled", replicas=3)).ok(201)

    def scale(replicas):
        thing = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "scaled", "namespace": NAMESPACE}, "spec": {"replicas": replicas}}
        return thing, lambda body: developer.request("PUT", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/scaled/scale", body)
    thing, put = scale(1)
    ask.denied(thing, "replica-floor", verb=put, field="spec.replicas")
    for replicas in (2, 0):
        thing, put = scale(replicas)
        ask.allowed(thing, verb=put)
    developer.delete("Deployment", NAMESPACE, "scaled").ok()


def test_an_exception_lets_in_whom_it_names_and_the_audit_log_names_it(ask):
    answer = ask.allowed(workload("Deployment", NAMESPACE, name="printer", replicas=1), dry_run=True)
    assert "printer" in ask.annotations(answer)["exception"]
    ask.denied(workload("StatefulSet", NAMESPACE, name="printer", replicas=1), "replica-floor")
    ask.denied(workload("Deployment", NAMESPACE, name="printer-2", replicas=1), "replica-floor")
