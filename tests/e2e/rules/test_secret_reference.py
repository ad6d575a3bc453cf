"""secret-reference: only the tenant's own Secrets, by every door of a workload, a ServiceAccount and an Ingress."""

import pytest

from harness.objects import container, pod_spec, workload

pytestmark = pytest.mark.core
NAMESPACE = "acme-secret"


@pytest.mark.parametrize("door,spec", [
    ("volume", lambda name: pod_spec(volumes=[{"name": "db", "secret": {"secretName": name}}])),
    ("projection", lambda name: pod_spec(volumes=[{"name": "db", "projected": {"sources": [{"secret": {"name": name}}]}}])),
    ("variable", lambda name: pod_spec(container(env=[{"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": name, "key": "p"}}}]))),
    ("variables", lambda name: pod_spec(container(envFrom=[{"secretRef": {"name": name}}]))),
    ("pull secret", lambda name: pod_spec(imagePullSecrets=[{"name": name}])),
])
def test_a_workload_refers_only_to_its_tenants_secrets(ask, door, spec):
    ask.denied(workload("Deployment", NAMESPACE, spec("globex-db"), generateName="odoo-"), "secret-reference")
    ask.allowed(workload("Deployment", NAMESPACE, spec("acme-db"), generateName="odoo-"), dry_run=True)


def test_an_ingress_and_a_service_account_too(ask):
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web", "namespace": NAMESPACE},
               "spec": {"tls": [{"hosts": ["a.example"], "secretName": "globex-tls"}], "defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}}
    ask.denied(ingress, "secret-reference", field="spec.tls[0].secretName")
    ingress["spec"]["tls"][0]["secretName"] = "acme-tls"
    ask.allowed(ingress, dry_run=True)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "namespace": NAMESPACE}, "imagePullSecrets": [{"name": "globex-pull"}]}
    ask.denied(account, "secret-reference", field="imagePullSecrets[0].name")
