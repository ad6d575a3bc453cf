"""A kind that is installed later, or goes away, is known without a restart: the Platform's workloadKinds, here Argo's Rollout."""

import datetime
import json

import pytest

from harness import install, wait

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "rollouts.argoproj.io"},
    "spec": {"group": "argoproj.io", "scope": "Namespaced", "names": {"plural": "rollouts", "singular": "rollout", "kind": "Rollout", "listKind": "RolloutList"},
             "versions": [{"name": "v1alpha1", "served": True, "storage": True,
                           "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}
ROLLOUTS = "/apis/argoproj.io/v1alpha1/namespaces/acme-floor/rollouts"
SECONDS_MAX = 90  # discovery looks once a minute


def day(number):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=number)).strftime("%Y-%m-%dT00:00:00Z")


def document(kind, name, **spec):
    return {"apiVersion": "portcullis.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


@pytest.fixture(scope="module")
def gate(new_cluster):
    new_cluster.namespace("acme-floor")
    return install.Gate(new_cluster, {"late.yaml": [
        document("Platform", "hoster", environments=["production"], unknownNamespace="allow",
                 systemNamespaces=["kube-system", "kube-public", "kube-node-lease", "portcullis-system", "default"],
                 workloadKinds=[{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "podTemplate": "spec.template", "replicas": "spec.replicas"}]),
        document("Tenant", "acme", tier=2, timeZone="Europe/Zurich", namespaces=[{"pattern": "acme-*", "environment": "production", "tenancy": "multi-tenant"}]),
        document("Policy", "floor", rules=[{"id": "replica-floor", "with": {"min": 2}}]),
        document("PolicyException", "bridge", rules=["replica-floor"], reason="once a site", ticket="CHG1", approvedBy="security@hoster.example",
                 match={"tenants": ["acme"], "namespaces": ["acme-floor"], "objects": [{"kind": "Rollout", "name": "bridge"}]},
                 validFrom=day(-1), expiresAt=day(30))]})


def rollout(name, replicas):
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": name, "namespace": "acme-floor"}, "spec": {
        "replicas": replicas, "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "odoo", "image": "registry.hoster.example/odoo/server:17.0"}]}}}}


def known(gate):
    return [sum(value for series, value in pod.metrics().items() if series.startswith("portcullis_kube_objects{") and "rollouts" in series) for pod in gate.pods]


def test_it_is_known_once_it_is_there_and_forgotten_once_it_is_not(new_cluster, gate):
    uids = {pod.uid for pod in gate.pods}
    assert known(gate) == [0, 0]
    new_cluster.kubectl("apply", "-f", "-", text=json.dumps(CRD))
    new_cluster.kubectl("wait", "--for=condition=Established", "crd/rollouts.argoproj.io", "--timeout=60s")
    refused = new_cluster.admin.request("POST", ROLLOUTS, rollout("web", 1))
    assert refused.status == 403 and "replica-floor" in refused.message, refused.body
    new_cluster.admin.request("POST", ROLLOUTS, rollout("web", 2)).ok(201)
    wait.until(lambda: known(gate) == [1, 1], SECONDS_MAX, "the Rollout in every replica's facts", poll=0.5)
    new_cluster.admin.delete("CustomResourceDefinition", None, "rollouts.argoproj.io").ok()
    wait.until(lambda: known(gate) == [0, 0], SECONDS_MAX, "no Rollout any more", poll=0.5)
    assert {pod.uid for pod in gate.pods} == uids and all(pod.ready and pod.containers[0].restarts == 0 for pod in gate.pods)
