"""portcullis doctor: says yes of a good installation, and what, where and how to mend it of a bad one."""

import base64
import json

import pytest

from harness import install, tools

pytestmark = pytest.mark.core


@pytest.fixture(scope="module")
def gate(new_cluster, documents):
    new_cluster.namespace("acme-inline")
    return install.Gate(new_cluster, documents, certificates="self")


def doctor(cluster, *words):
    done = cluster.run(tools.PROGRAM, "doctor", "--kubeconfig", cluster.admin_kubeconfig, "-o", "json", *words)
    assert done.returncode in (0, 1, 2), done.stderr
    try:
        return done.returncode, json.loads(done.stdout)
    except json.JSONDecodeError:
        raise AssertionError(f"exit code {done.returncode}: {done.stdout}{done.stderr}") from None


def failures(report):
    return {each["id"]: each for each in report["checks"] if each["verdict"] == "fail"}


def test_before_an_installation_it_says_whether_one_can_be(cluster_with):
    cluster = cluster_with()
    code, report = doctor(cluster, "--pre")
    assert code == 0, report


def test_a_good_installation_passes(new_cluster, gate):
    code, report = doctor(new_cluster, "--config", gate.dir / "documents")
    assert code == 0, failures(report)
    categories = {each["category"] for each in report["checks"]}
    assert {"kubernetes-api", "permissions", "webhook-config", "certificates", "replicas", "documents", "audit", "self-test"} <= categories, categories


def test_a_wrong_bundle_is_found(new_cluster, gate):
    """The replicas mend it within seconds, perhaps before the doctor has looked: then it is broken again."""
    for _ in range(5):
        configuration = new_cluster.admin.get("ValidatingWebhookConfiguration", None, "portcullis").ok().object
        for each in configuration["webhooks"]:
            each["clientConfig"]["caBundle"] = base64.b64encode(new_cluster.pki.ca.read_bytes()).decode()
        new_cluster.admin.replace(configuration)
        code, report = doctor(new_cluster)
        if code == 1:
            break
    assert code == 1 and any(each["category"] in ("webhook-config", "certificates") and each["hint"] for each in failures(report).values()), report


def test_a_configuration_that_asks_about_itself_is_found(new_cluster, gate):
    configuration = new_cluster.admin.get("ValidatingWebhookConfiguration", None, "portcullis").ok().object
    configuration["webhooks"][0]["namespaceSelector"] = {}
    configuration["webhooks"][0]["rules"].append(
        {"apiGroups": ["coordination.k8s.io"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["leases"], "scope": "Namespaced"})
    new_cluster.admin.replace(configuration).ok()
    code, report = doctor(new_cluster)
    text = json.dumps(failures(report))
    assert code == 1 and "leases" in text and "portcullis-system" in text, report
    gate.admit()


def test_a_missing_right_is_found(new_cluster, gate):
    role = new_cluster.admin.get("ClusterRole", None, "portcullis-webhook").ok().object
    new_cluster.admin.patch("ClusterRole", None, "portcullis-webhook", {"rules": []}).ok()
    code, report = doctor(new_cluster)
    assert code == 1 and any(each["category"] == "permissions" for each in failures(report).values()), report
    new_cluster.admin.patch("ClusterRole", None, "portcullis-webhook", {"rules": role["rules"]}).ok()
