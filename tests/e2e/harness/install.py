"""Puts Portcullis into a cluster as docs/install.md tells a user to: manifests/base (or one of its overlays) with the image
and the documents of the test, the rights, budgets and webhook configurations that the program renders from these documents.
"""

import base64
import json
import pathlib
import shutil
import subprocess

import yaml

from . import tools, wait
from .kubelet import Kubelet

NAMESPACE = "portcullis-system"
IMAGE = "registry.hoster.example/platform/portcullis"
DIGEST = "sha256:" + "7" * 64
DOCUMENT_KINDS = ("Platform", "Tenant", "Policy", "PolicyException", "GuardPolicy")


def render(*words):
    """What `portcullis render ...` prints."""
    done = subprocess.run([str(tools.PROGRAM), "render", *map(str, words)], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"render {words}: {done.stderr}{done.stdout}")
    return done.stdout


class Gate:
    """The installed Portcullis: its kubelet and its documents.

    documents: a directory of YAML, or {file name: [documents]}. certificates: `self`, or `external` (certs/make-cluster-certs.sh).
    source: `mounted` (a ConfigMap) or `custom-resources`."""

    def __init__(self, cluster, documents, replicas=2, certificates="external", source="mounted", api_address=None, options=(), admit=True):
        self.cluster, self.replicas, self.certificates, self.source, self.options = cluster, replicas, certificates, source, list(options)
        self.documents, self.extras = documents, {}
        self.dir = cluster.dir / "overlay"
        self.dir.mkdir()
        if certificates == "external":
            subprocess.run([str(tools.ROOT / "certs/make-cluster-certs.sh"), str(self.dir / "certs"), NAMESPACE], check=True, capture_output=True,
                           env={"PORTCULLIS_PROGRAM": str(tools.PROGRAM), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        self.kubelet = Kubelet(cluster)
        if api_address:
            self.kubelet.api_address = api_address
        self._apply()
        self.wait_ready()
        if admit:
            self.admit()

    # --- Files ---

    def _files(self):
        """{file name: text} of all documents."""
        if isinstance(self.documents, (str, pathlib.Path)):
            found = {file.name: file.read_text() for file in sorted(pathlib.Path(self.documents).glob("*.yaml"))}
        else:
            found = {name: "\n---\n".join(json.dumps(each, indent=1) for each in content) + "\n" for name, content in self.documents.items()}
        found.update({name: "\n---\n".join(json.dumps(each, indent=1) for each in content) + "\n" for name, content in self.extras.items()})
        return found

    def _objects(self):
        return [each for text in self._files().values() for each in yaml.safe_load_all(text) if each]

    def _write(self):
        """The overlay, and beside it the documents as files."""
        gate = self.dir / "gate"
        shutil.rmtree(gate, ignore_errors=True)
        gate.mkdir()
        for name, text in self._files().items():
            (gate / name).write_text(text)
        resource = "../certs" if self.certificates == "external" else str(pathlib.Path(tools.ROOT / "manifests/base"))
        if self.source == "custom-resources":
            resource = str(tools.ROOT / "manifests/overlays/custom-resources")
        webhook = [{"op": "replace", "path": "/spec/replicas", "value": self.replicas}]
        webhook += [{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": option} for option in self.options]
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": NAMESPACE,
            "resources": [str(relative(gate, resource))], "images": [{"name": IMAGE, "digest": DIGEST}],
            "patches": [{"target": {"kind": "Deployment", "name": "portcullis-webhook"}, "patch": json.dumps(webhook)},
                        {"target": {"kind": "Deployment", "name": "portcullis-guard"}, "patch": json.dumps([{"op": "replace", "path": "/spec/replicas", "value": 0}])},
                        *({"patch": json.dumps({"$patch": "delete", "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
                                                "metadata": {"name": "portcullis-webhook", **where}})}
                          for kind, where in (("ClusterRole", {}), ("ClusterRoleBinding", {}), ("Role", {"namespace": NAMESPACE}), ("RoleBinding", {"namespace": NAMESPACE})))],
            "generatorOptions": {"disableNameSuffixHash": True}}
        if self.source == "mounted":
            kustomization["configMapGenerator"] = [{"name": "portcullis-documents", "behavior": "replace", "files": sorted(self._files())}]
        (gate / "kustomization.yaml").write_text(json.dumps(kustomization))
        documents = self.dir / "documents"
        shutil.rmtree(documents, ignore_errors=True)
        documents.mkdir()
        for name, text in self._files().items():
            (documents / name).write_text(text)
        return documents

    # --- Steps of the installation ---

    def _apply(self):
        documents = self._write()
        cluster = self.cluster
        cluster.kubectl("apply", "-k", self.dir / "gate", "-l", "app.kubernetes.io/component!=admission")
        cluster.kubectl("wait", "--for=condition=Established", "crd", "-l", "app.kubernetes.io/part-of=portcullis", "--timeout=60s")
        cluster.kubectl("apply", "-f", "-", text=render("rbac", "--config", documents))
        quotas = render("tenant-quotas", "--config", documents)
        if "kind:" in quotas:
            cluster.kubectl("apply", "-f", "-", text=quotas)
        if self.source == "custom-resources":
            for kind in DOCUMENT_KINDS:
                for each in self._objects():
                    if each["kind"] == kind:
                        cluster.kubectl("apply", "-f", "-", text=json.dumps(each, default=lambda moment: moment.isoformat()))

    def configurations(self):
        """The webhook configurations that the program renders from the documents, with the caBundle where it is ours to give."""
        found = [each for each in yaml.safe_load_all(render("webhook-config", "--config", self.dir / "documents")) if each]
        if self.certificates == "external":
            bundle = base64.b64encode((self.dir / "certs/ca.pem").read_bytes()).decode()
            for configuration in found:
                for each in configuration["webhooks"]:
                    each["clientConfig"]["caBundle"] = bundle
        return found

    def admit(self):
        """The last step: from now on the API server asks."""
        for each in self.configurations():
            self.cluster.kubectl("apply", "-f", "-", text=json.dumps(each))
        self.wait_effective()

    def wait_ready(self, seconds=90):
        return self.kubelet.wait_ready("webhook", self.replicas, seconds)

    def wait_effective(self):
        """The API server asks once it has read the configuration."""
        probe = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "probe-"}}

        def asked():
            answer = self.cluster.admin.create(probe, dry_run=True)
            return any(key.startswith("validate") for key in (self.cluster.audit(answer).get("annotations") or {}))
        wait.until(asked, 60, "the webhook configuration in force")

    # --- Documents that change ---

    @property
    def pods(self):
        return self.kubelet.of("webhook")

    def hashes(self):
        """What the replicas say they judge by."""
        found = set()
        for pod in self.pods:
            _, text = pod.get("/readyz")
            found |= {line.split()[1] for line in text.splitlines() if line.startswith("documents ")}
        return found

    def extend(self, file, content):
        """Adds a file of documents, or takes it away, and waits until every replica judges by the new set."""
        if content is None:
            gone = self.extras.pop(file, [])
            if self.source == "custom-resources":
                for each in gone:
                    self.cluster.admin.delete(each["kind"], None, each["metadata"]["name"]).ok(200, 404)
        else:
            self.extras[file] = content
        self.change()

    def change(self, documents=None):
        """Writes the documents anew and waits until every replica judges by them."""
        before, written = self.hashes(), {file.name: file.read_text() for file in (self.dir / "documents").iterdir()}
        if documents is not None:
            self.documents = documents
        if self._files() == written:
            return
        self._apply()
        wait.until(lambda: len(self.hashes()) == 1 and self.hashes() != before, 30, "the new documents in every replica")

    def decisions(self, **wanted):
        return [record for pod in list(self.kubelet.pods.values()) for record in pod.decisions(**wanted)]


def relative(base, path):
    """kustomize wants paths of bases relative."""
    return path if str(path).startswith("..") else pathlib.Path(*[".."] * (len(base.parts) - 1), *pathlib.Path(path).parts[1:])
