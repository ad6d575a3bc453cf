"""What the program may do in a cluster: what the loaded rules need, and never a Secret."""

import pytest

pytestmark = pytest.mark.core


@pytest.fixture(scope="module")
def webhook(cluster, gate):
    return cluster.service_account("portcullis-system", "portcullis-webhook")


def may(user, verb, resource, group="", namespace=None, name=None, subresource=None):
    attributes = {"verb": verb, "resource": resource, "group": group, "namespace": namespace, "name": name, "subresource": subresource}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
              "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}}}
    return user.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review).ok().object["status"]["allowed"]


@pytest.mark.parametrize("namespace", ["default", "kube-system", "portcullis-system", "acme-secret"])
def test_no_secret_is_ever_read(webhook, namespace):
    for verb in ("get", "list", "watch", "create", "update", "delete"):
        assert not may(webhook, verb, "secrets", namespace=namespace), verb
    assert webhook.get("Secret", "portcullis-system", "portcullis-webhook-tls").status == 403
    assert webhook.get("Secret", "portcullis-system").status == 403


def test_no_right_is_wide(cluster, webhook):
    for verb in ("create", "update", "patch", "delete"):
        for group, resource in (("", "pods"), ("", "configmaps"), ("apps", "deployments"), ("rbac.authorization.k8s.io", "clusterroles"),
                                ("portcullis.dev", "tenantquotas"), ("portcullis.dev", "tenants"), ("portcullis.dev", "policies")):
            assert not may(webhook, verb, resource, group, namespace="acme-secret"), (verb, resource)
    for kind in ("ClusterRole", "Role"):
        for role in cluster.admin.list(kind):
            if role["metadata"]["name"].startswith("portcullis-webhook"):
                for rule in role["rules"]:
                    assert "*" not in rule["verbs"] and "*" not in rule.get("resources", []) and "*" not in rule.get("apiGroups", []), rule


def test_of_the_webhook_configurations_only_its_own_by_name(webhook):
    for resource in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"):
        group = "admissionregistration.k8s.io"
        assert may(webhook, "patch", resource, group, name="portcullis")
        assert not may(webhook, "patch", resource, group, name="somebody-elses")
        for verb in ("create", "delete", "list"):
            assert not may(webhook, verb, resource, group)


def test_the_guard_has_no_right_at_all(cluster, gate):
    guard = cluster.service_account("portcullis-system", "portcullis-guard")
    for verb, resource in (("get", "secrets"), ("list", "pods"), ("list", "namespaces"), ("get", "configmaps")):
        assert not may(guard, verb, resource, namespace="portcullis-system")
