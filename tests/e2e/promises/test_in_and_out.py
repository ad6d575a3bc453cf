"""The Helm chart and the kustomization: installed, upgraded under load, rolled back, and taken out with no dead webhook left."""

import base64
import json
import shutil

import pytest

from harness import install, kubelet, tools, wait
from harness.objects import workload
from harness.traffic import Load

NAMESPACE = "acme-floor"
CHART = tools.ROOT / "manifests/helm/portcullis"
CONFIGURATIONS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")


def document(kind, name, **spec):
    return {"apiVersion": "portcullis.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def documents(minimum):
    return [document("Platform", "hoster", environments=["production"], unknownNamespace="allow",
                     systemNamespaces=["kube-system", "kube-public", "kube-node-lease", "portcullis-system"]),
            document("Tenant", "acme", tier=2, timeZone="Europe/Zurich", namespaces=[{"pattern": "acme-*", "environment": "production", "tenancy": "multi-tenant"}]),
            document("Policy", "floor", rules=[{"id": "replica-floor", "with": {"min": minimum}}])]


def files(directory, minimum):
    """Documents, and what the program renders of them."""
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "documents").mkdir(parents=True)
    (directory / "documents/all.yaml").write_text("\n---\n".join(json.dumps(each) for each in documents(minimum)) + "\n")
    for name, what in (("webhooks.yaml", "webhook-config"), ("rbac.yaml", "rbac")):
        (directory / name).write_text(install.render(what, "--config", directory / "documents"))
    return directory


@pytest.fixture(scope="module")
def cluster(new_cluster):
    new_cluster.namespace(NAMESPACE)
    new_cluster.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "portcullis-system"}}).ok(201)
    return new_cluster


@pytest.fixture(scope="module")
def nodes(cluster):
    return kubelet.Kubelet(cluster)


def verdict(cluster, replicas):
    return cluster.admin.create(workload("Deployment", NAMESPACE, replicas=replicas, generateName="odoo-"), dry_run=True).status


def judges(cluster, minimum, seconds=60):
    def right():
        return verdict(cluster, minimum - 1) == 403 and verdict(cluster, minimum) == 201
    wait.until(right, seconds, f"a floor of {minimum}", poll=0.5)


def no_webhook_left(cluster):
    for kind in CONFIGURATIONS:
        assert not [each for each in cluster.admin.list(kind) if each["metadata"]["name"].startswith("portcullis")], kind
    assert verdict(cluster, 1) == 201


def load(cluster):
    developer = cluster.tenant_user("dev@acme.example", [NAMESPACE])
    return Load(cluster, developer, f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments?dryRun=All", workload("Deployment", NAMESPACE, replicas=9, generateName="odoo-"), rate=30)


class Helm:
    def __init__(self, cluster):
        self.cluster = cluster

    def __call__(self, *words, check=True):
        done = self.cluster.run(tools.tool("helm"), *words, "--namespace", "portcullis-system")
        if check and done.returncode != 0:
            raise AssertionError(f"helm {words}: {done.stdout}{done.stderr}")
        return done

    def values(self, directory, **more):
        return ["--set", "image.digest=" + install.DIGEST, "--set-file", f"documents.files.all\\.yaml={directory}/documents/all.yaml",
                "--set-file", f"webhooks.configuration={directory}/webhooks.yaml", "--set-file", f"rbac.rights={directory}/rbac.yaml",
                "--set", "webhooks.onboarding=false", *(word for key, value in more.items() for word in ("--set", f"{key.replace('__', '.')}={value}"))]


@pytest.fixture(scope="module")
def helm(cluster):
    return Helm(cluster)


def test_the_chart_from_its_first_install_to_its_end(cluster, nodes, helm, tmp_path, figure):
    first, second = files(tmp_path / "first", 2), files(tmp_path / "second", 3)
    helm("install", "portcullis", CHART, *helm.values(first))
    nodes.wait_ready("webhook", 2)
    judges(cluster, 2)
    announced = [each["clientConfig"]["caBundle"] for kind in CONFIGURATIONS for each in cluster.admin.get(kind, None, "portcullis").ok().object["webhooks"]]
    assert all(b"BEGIN CERTIFICATE" in base64.b64decode(each) for each in announced)

    with load(cluster) as running:
        helm("upgrade", "portcullis", CHART, *helm.values(second, webhook__threads=1))
        cluster.kubectl("-n", "portcullis-system", "rollout", "status", "deployment/portcullis-webhook", "--timeout=300s", timeout=310)
        judges(cluster, 3)
        helm("rollback", "portcullis", "1")
        cluster.kubectl("-n", "portcullis-system", "rollout", "status", "deployment/portcullis-webhook", "--timeout=300s", timeout=310)
        judges(cluster, 2)
        result = running.stop()
    figure(f"upgrade and rollback under {result['requests']} creates, failed: {result.other_than(201) or 0}; {result.times(201)}")
    assert not result.other_than(201)

    helm("uninstall", "portcullis", "--wait")
    no_webhook_left(cluster)
    assert any(each["metadata"]["name"] == "tenants.portcullis.dev" for each in cluster.admin.list("CustomResourceDefinition")), "documents outlive the chart"
    wait.until(lambda: not cluster.admin.list("Pod", "portcullis-system"), 60, "no pod")


def test_a_value_that_is_not_known_is_refused(helm):
    done = helm("template", "portcullis", CHART, "--set", "imgae.tag=1", check=False)
    assert done.returncode != 0 and "imgae" in done.stderr


def test_the_kustomization_from_its_first_install_to_its_end(cluster, nodes, tmp_path):
    def directory(minimum):
        """manifests/example/cluster, copied as its first lines say."""
        target = files(tmp_path / f"kustomize-{minimum}", minimum)
        base = install.relative(target, tools.ROOT / "manifests/base")
        text = (tools.ROOT / "manifests/example/cluster/kustomization.yaml").read_text().replace("../../base", str(base))
        text = text.replace("sha256:" + "0" * 64, install.DIGEST)
        text = "\n".join(line for line in text.split("\n") if not line.strip().startswith("- documents/")).replace("    files:", "    files: [documents/all.yaml]")
        (target / "kustomization.yaml").write_text(text)
        return target
    first, second = directory(2), directory(3)
    doors = ("-l", "app.kubernetes.io/component!=admission")
    cluster.kubectl("apply", "-k", first, *doors)
    cluster.kubectl("-n", "portcullis-system", "scale", "deployment/portcullis-guard", "--replicas=0")
    nodes.wait_ready("webhook", 2)
    cluster.kubectl("apply", "-k", first)
    judges(cluster, 2)
    cluster.kubectl("apply", "-k", second)
    judges(cluster, 3)
    cluster.kubectl("apply", "-k", first)
    judges(cluster, 2)
    done = cluster.run(tools.PROGRAM, "uninstall", "--yes", "--kubeconfig", cluster.admin_kubeconfig)
    assert done.returncode == 0, done.stdout + done.stderr
    no_webhook_left(cluster)
    again = cluster.run(tools.PROGRAM, "uninstall", "--yes", "--kubeconfig", cluster.admin_kubeconfig)
    assert again.returncode == 0, again.stdout + again.stderr
    cluster.kubectl("delete", "-k", first, "--ignore-not-found", timeout=180)
    no_webhook_left(cluster)
