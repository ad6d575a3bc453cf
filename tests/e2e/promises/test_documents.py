"""Documents as custom resources: refused by their schema, judged as a set, and each told whether it is in force."""

import pytest

from harness import install, wait
from harness.objects import TAGGED, container, pod_spec, workload

pytestmark = pytest.mark.core


@pytest.fixture(scope="module")
def gate(new_cluster, documents):
    new_cluster.namespace("acme-digest")
    return install.Gate(new_cluster, documents, source="custom-resources")


@pytest.fixture(scope="module")
def editor(new_cluster, gate):
    """Of the platform group: may write documents, and no status."""
    return new_cluster.user("editor@hoster.example", ["platform"])


def accepted(api, kind, name):
    """(status, message) of the condition Accepted of the newest generation."""
    thing = api.get(kind, None, name).ok().object
    for each in (thing.get("status") or {}).get("conditions") or []:
        if each["type"] == "Accepted" and each.get("observedGeneration") == thing["metadata"]["generation"]:
            return each["status"], each.get("message", "")
    return None


def policy(name, **spec):
    return {"apiVersion": "portcullis.dev/v1", "kind": "Policy", "metadata": {"name": name}, "spec": spec}


def bad():
    return workload("Deployment", "acme-digest", pod_spec(container(image=TAGGED)), generateName="odoo-")


def test_they_are_in_force_and_say_so(new_cluster, gate, editor):
    for each in gate._objects():
        wait.until(lambda: (accepted(editor, each["kind"], each["metadata"]["name"]) or ("", ""))[0] == "True", 20, f"{each['kind']}/{each['metadata']['name']} accepted")
    assert new_cluster.admin.create(bad(), dry_run=True).status == 403
    shown = new_cluster.kubectl("get", "portcullis").stdout
    assert "policy.portcullis.dev/digest" in shown and "tenant.portcullis.dev/acme" in shown, shown


@pytest.mark.parametrize("spec,word", [
    ({"rules": []}, "rules"), ({"mode": "enfroce", "rules": [{"id": "image-digest"}]}, "mode"), ({"rules": [{"id": "image-digest"}], "matches": {}}, "matches")])
def test_what_a_schema_can_tell_the_api_server_refuses(editor, gate, spec, word):
    answer = editor.request("POST", "/apis/portcullis.dev/v1/policies?fieldValidation=Strict", policy("wrong", **spec))
    assert answer.status in (400, 422) and word in answer.message, answer.body


def test_a_set_with_a_mistake_is_refused_whole_and_the_old_one_stays(new_cluster, gate, editor):
    before = gate.hashes()
    refusals = [pod.metric("portcullis_config_reloads_total", result="refused") for pod in gate.pods]
    editor.create(policy("lost", match={"tenants": ["nobody"]}, rules=[{"id": "image-digest"}])).ok(201)
    try:
        status, message = wait.until(lambda: accepted(editor, "Policy", "lost"), 20, "the condition")
        assert status == "False" and "nobody" in message
        assert gate.hashes() == before
        assert new_cluster.admin.create(bad(), dry_run=True).status == 403
        assert all(pod.metric("portcullis_config_reloads_total", result="refused") > earlier for pod, earlier in zip(gate.pods, refusals))
    finally:
        editor.delete("Policy", None, "lost").ok()
    editor.create(policy("found", match={"tenants": ["acme"]}, mode="audit", rules=[{"id": "image-digest"}])).ok(201)
    wait.until(lambda: (accepted(editor, "Policy", "found") or ("",))[0] == "True", 20, "the next good set")
    editor.delete("Policy", None, "found").ok()


def test_a_change_is_in_force_within_seconds(new_cluster, gate, editor):
    thing = editor.get("Policy", None, "digest").ok().object
    editor.patch("Policy", None, "digest", {"spec": {"mode": "warn"}}).ok()
    wait.until(lambda: new_cluster.admin.create(bad(), dry_run=True).status == 201, 10, "the policy only warns")
    editor.patch("Policy", None, "digest", {"spec": {"mode": "enforce"}}).ok()
    wait.until(lambda: new_cluster.admin.create(bad(), dry_run=True).status == 403, 10, "the policy denies")
    assert thing["spec"]["rules"]


def test_a_tenants_developer_writes_none(new_cluster, gate):
    developer = new_cluster.tenant_user("dev@acme.example", ["acme-digest"])
    assert developer.create(policy("mine", rules=[{"id": "image-digest"}])).status == 403
    assert developer.delete("Policy", None, "digest").status == 403


def test_an_editor_writes_no_status(editor, gate):
    assert editor.patch("Policy", None, "digest", {"status": {"conditions": []}}, subresource="status").status == 403


def test_replicas_that_start_later_judge_by_the_same(gate, new_cluster):
    new_cluster.kubectl("-n", "portcullis-system", "rollout", "restart", "deployment/portcullis-webhook")
    new_cluster.kubectl("-n", "portcullis-system", "rollout", "status", "deployment/portcullis-webhook", "--timeout=300s", timeout=310)
    assert len(gate.hashes()) == 1
    assert new_cluster.admin.create(bad(), dry_run=True).status == 403
