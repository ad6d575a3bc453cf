"""A tenant's namespaces carry their tenant, tier and environment; nobody sets them but the gate."""

import pytest

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
