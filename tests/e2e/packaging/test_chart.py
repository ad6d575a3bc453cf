"""The Helm chart and the kustomizations, rendered: that both install the same gate, that the chart keeps its words, and that
what it installs passes the program's own rules. No cluster."""

import json
import subprocess

import pytest
import yaml

from harness import tools

pytestmark = pytest.mark.core
MANIFESTS = tools.ROOT / "manifests"
CHART = MANIFESTS / "helm/portcullis"
DIGEST = "sha256:" + "7" * 64
NAMESPACE = "portcullis-system"


def run(*words, code=0):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def objects(text):
    return {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(text) if each}


def chart(*settings, namespace=NAMESPACE):
    words = [word for setting in settings for word in ("--set", setting)]
    return objects(run(tools.tool("helm"), "template", "portcullis", CHART, "-n", namespace, "--kube-version", "1.35.3", *words))


@pytest.fixture(scope="module")
def base():
    return objects(run(tools.tool("kubectl"), "kustomize", MANIFESTS / "base"))


def plain(thing):
    """Without what tells only who installed it."""
    thing = json.loads(json.dumps(thing))
    for metadata in (thing["metadata"], thing.get("spec", {}).get("template", {}).get("metadata", {}) if thing["kind"] == "Deployment" else {}):
        metadata.pop("namespace", None)
        metadata.pop("annotations", None)
        labels = metadata.get("labels", {})
        for name in ("helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/part-of"):
            labels.pop(name, None)
        if not labels:
            metadata.pop("labels", None)
    if thing["kind"] == "Deployment":
        for container in thing["spec"]["template"]["spec"]["containers"]:
            container.pop("image")
            container.pop("imagePullPolicy", None)
    return thing


def test_the_chart_installs_what_the_base_installs(base):
    rendered = chart("guard.enabled=true", "certificates.mode=external")
    missing = {key for key in base if key not in rendered and key[0] not in ("Namespace", "Secret")}
    assert not missing
    for key, thing in base.items():
        if key[0] == "CustomResourceDefinition":
            assert rendered[key]["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
        if key in rendered and key != ("Deployment", "portcullis-webhook"):
            assert plain(rendered[key]) == plain(thing), key
    # Arguments about certificates are the modes' own.
    ours, theirs = plain(chart()[("Deployment", "portcullis-webhook")]), plain(base[("Deployment", "portcullis-webhook")])
    for each in (ours, theirs):
        container = each["spec"]["template"]["spec"]["containers"][0]
        container["args"] = [word for word in container["args"] if not word.startswith(("--tls-", "--certificate-"))]
    assert ours == theirs


def test_every_mode_renders():
    for settings in ((), ("guard.enabled=true", "certificates.mode=certManager", "serviceMonitor.enabled=true", "prometheusRule.enabled=true"),
                     ("documents.source=customResources",), ("certificates.mode=external", "certificates.caBundle=YWJj"),
                     ("crds.install=false", "networkPolicy.enabled=false", "podDisruptionBudget.enabled=false", "flowSchema.enabled=false",
                      "uninstallHook.enabled=false"),
                     ("guard.enabled=true", "guard.autoscaling.enabled=true")):
        assert len(chart(*settings)) > 10


@pytest.mark.parametrize("setting", ["webhook.replica=3", "certificates.mode=selfSigned", "webhook.replicas=0", "image.digest=latest",
                                     "webhooks.failurePolicy.tier4=Fail", "documents.files.notes=x"])
def test_a_slip_of_the_hand_is_refused(setting):
    assert "values don't meet the specifications of the schema" in run(
        tools.tool("helm"), "template", "portcullis", CHART, "--kube-version", "1.35.3", "--set", setting, code=1)


def policies(rendered):
    return {webhook["name"].split(".")[0]: webhook["failurePolicy"]
            for webhook in rendered[("ValidatingWebhookConfiguration", "portcullis")]["webhooks"]}


def test_onboarding_stops_nobody(tmp_path):
    configuration = tmp_path / "webhooks.yaml"
    configuration.write_text(run(tools.PROGRAM, "render", "webhook-config", "--config", MANIFESTS / "example/documents"))
    words = [tools.tool("helm"), "template", "p", CHART, "-n", "gate", "--kube-version", "1.35.3", "--set-file", f"webhooks.configuration={configuration}"]
    assert set(policies(objects(run(*words))).values()) == {"Ignore"}
    words += ["--set", "webhooks.onboarding=false"]
    assert policies(objects(run(*words)))["validate-tier-1"] == "Fail"
    tuned = policies(objects(run(*words, "--set", "webhooks.failurePolicy.tier3=Ignore")))
    assert (tuned["validate-tier-1"], tuned["validate-tier-3"]) == ("Fail", "Ignore")


def test_onboarding_by_kustomize_stops_nobody_either():
    built = objects(run(tools.tool("kubectl"), "kustomize", MANIFESTS / "overlays/onboarding"))
    assert set(policies(built).values()) == {"Ignore"}
    assert policies(objects(run(tools.tool("kubectl"), "kustomize", MANIFESTS / "example/cluster")))["validate-tier-1"] == "Fail"


def test_a_release_leaves_its_own_namespace_out():
    for key, thing in chart(namespace="gate").items():
        if key[0].endswith("WebhookConfiguration"):
            for webhook in thing["webhooks"]:
                assert webhook["clientConfig"]["service"]["namespace"] == "gate"
                assert "gate" in webhook["namespaceSelector"]["matchExpressions"][0]["values"]


def test_the_chart_passes_our_own_rules(tmp_path):
    rendered = chart(f"image.digest={DIGEST}", "guard.enabled=true")
    judged = ("Deployment", "Job", "ConfigMap", "Service")
    file = tmp_path / "chart.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [each for each in rendered.values() if each["kind"] in judged]}))
    report = json.loads(run(tools.PROGRAM, "check", "--config", MANIFESTS / "example/documents", "-n", "meridian-finance-prod", "-o", "json",
                            "--at", "2026-12-01T12:00:00Z", file))
    assert report["summary"]["objects"] > 5
    assert report["summary"]["warned"] + report["summary"]["denied"] == 0, json.dumps(report["decisions"], indent=1)


@pytest.mark.parametrize("overlay", ["custom-resources", "onboarding", "external-certificates", "cert-manager"])
def test_overlays_build(overlay):
    built = objects(run(tools.tool("kubectl"), "kustomize", MANIFESTS / "overlays" / overlay))
    pod = built[("Deployment", "portcullis-webhook")]["spec"]["template"]["spec"]
    mounted = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    assert ("documents" in mounted) == (overlay != "custom-resources")
    assert any(word.startswith("--config") for word in pod["containers"][0]["args"]) == (overlay != "custom-resources")
