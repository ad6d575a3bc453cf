"""A tenant's namespaces carry their tenant, tier and environment; nobody sets them but the gate. Nobody's namespace can go away."""

import signal

import pytest

from harness import install, wait

pytestmark = pytest.mark.core
WANTED = {"portcullis.dev/tenant": "acme", "portcullis.dev/tier": "2", "portcullis.dev/environment": "production"}


@pytest.fixture
def admin(cluster, gate):
    return cluster.admin


def namespace(name, **labels):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def ours(thing):
    return {key: value for key, value in (thing["metadata"].get("labels") or {}).items() if key.startswith("portcullis.dev/")}


def test_a_new_namespace_gets_the_labels_of_its_tenant(admin):
    assert ours(admin.create(namespace("acme-labelled"), dry_run=True).ok(201).object) == WANTED


@pytest.mark.parametrize("key,value", [("portcullis.dev/tier", "3"), ("portcullis.dev/tenant", "globex"), ("portcullis.dev/environment", "sandbox")])
def test_another_label_is_refused(admin, key, value):
    answer = admin.create(namespace("acme-forged", **{key: value}), dry_run=True)
    assert answer.status == 403 and "namespace-tenancy" in answer.message and key in answer.message, answer.body


def test_a_namespace_of_nobody_may_not_claim_a_tenant(admin):
    answer = admin.patch("Namespace", None, "default", {"metadata": {"labels": {"portcullis.dev/tenant": "acme"}}})
    assert answer.status == 403 and "namespace-tenancy" in answer.message, answer.body


def test_labels_are_neither_changed_nor_lost(admin):
    admin.create(namespace("acme-kept")).ok(201, 409)
    assert admin.patch("Namespace", None, "acme-kept", {"metadata": {"labels": {"portcullis.dev/tier": "3"}}}).status == 403
    answer = admin.patch("Namespace", None, "acme-kept", {"metadata": {"labels": {"portcullis.dev/tier": None}}})
    assert answer.status == 403 or ours(answer.object) == WANTED
    assert ours(admin.get("Namespace", None, "acme-kept").ok().object) == WANTED
    other = admin.patch("Namespace", None, "acme-kept", {"metadata": {"labels": {"team": "erp"}}}).ok().object
    assert ours(other) == WANTED and other["metadata"]["labels"]["team"] == "erp"
    admin.delete("Namespace", None, "acme-kept").ok()


@pytest.mark.parametrize("subresource", ["status", "finalize"])
def test_a_part_is_no_way_around(admin, subresource):
    admin.create(namespace("acme-part")).ok(201, 409)
    for name, key, value in [("acme-part", "portcullis.dev/tier", "3"), ("acme-part", "portcullis.dev/tenant", None), ("default", "portcullis.dev/tenant", "acme")]:
        thing = admin.get("Namespace", None, name).ok().object
        labels = {**thing["metadata"]["labels"], key: value}
        thing["metadata"]["labels"] = {key: value for key, value in labels.items() if value is not None}
        answer = admin.replace(thing, subresource=subresource)
        assert answer.status == 403 and "namespace-tenancy" in answer.message and key in answer.message, answer.body
    thing = admin.get("Namespace", None, "acme-part").ok().object
    assert ours(thing) == WANTED
    admin.replace(thing, subresource=subresource).ok()
    admin.delete("Namespace", None, "acme-part").ok()
    wait.until(lambda: admin.get("Namespace", None, "acme-part").status == 404, 60, "the namespace gone")


def test_a_namespace_of_nobody_goes_away_with_the_gate_and_without(new_cluster, documents):
    """It was there before the gate, which denies it everything else."""
    admin = new_cluster.admin
    gate = install.Gate(new_cluster, documents, admit=False)
    for name in ("stray-judged", "stray-unjudged"):
        new_cluster.namespace(name)
        admin.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "left", "namespace": name}}).ok(201)
    gate.admit()
    answer = admin.patch("Namespace", None, "stray-judged", {"metadata": {"labels": {"team": "erp"}}})
    assert answer.status == 403 and "unknown-namespace" in answer.message, answer.body

    def goes_away(name):
        admin.delete("Namespace", None, name).ok()
        wait.until(lambda: admin.get("Namespace", None, name).status == 404, 60, f"{name} gone")

    goes_away("stray-judged")
    parts = gate.decisions(res="v1/namespaces/finalize", name="stray-judged")
    assert parts and all(each["verdict"] == "allow" for each in parts), parts
    for pod in gate.pods:
        pod.hold = True
        pod.process.send_signal(signal.SIGKILL)
    goes_away("stray-unjudged")
