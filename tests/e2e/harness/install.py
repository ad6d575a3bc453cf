"""Puts Portcullis into a cluster as docs/cluster.md tells a user to: the certificates' overlay on manifests/base, with the
documents of the test in the place of the shipped ones.
"""

import json
import pathlib
import shutil
import subprocess

from . import tools, wait
from .kubelet import Kubelet

NAMESPACE = "portcullis-system"
IMAGE = "registry.hoster.example/platform/portcullis"
DIGEST = "sha256:" + "7" * 64


class Gate:
    """The installed Portcullis: its kubelet and its documents."""

    def __init__(self, cluster, documents, replicas=2, components=("webhook",), api_address=None):
        self.cluster, self.replicas, self.components = cluster, replicas, components
        self.documents, self.extras = documents, {}
        self.dir = cluster.dir / "overlay"
        self.dir.mkdir()
        subprocess.run([str(tools.ROOT / "certs/make-cluster-certs.sh"), str(self.dir / "certs"), NAMESPACE], check=True, capture_output=True)
        self._overlay()
        self.kubelet = Kubelet(cluster)
        if api_address:
            self.kubelet.api_address = api_address
        cluster.kubectl("apply", "-k", self.dir / "gate", "-l", "app.kubernetes.io/component!=admission")
        self.wait_ready()
        cluster.kubectl("apply", "-k", self.dir / "gate")
        self.wait_effective()

    def _overlay(self):
        gate = self.dir / "gate"
        shutil.rmtree(gate, ignore_errors=True)
        gate.mkdir()
        names = self._write(self.documents, gate) + self._write(self.extras, gate)
        patches = [{"target": {"kind": "Deployment", "name": f"portcullis-{door}"},
                    "patch": json.dumps([{"op": "replace", "path": "/spec/replicas", "value": self.replicas if door in self.components else 0}])}
                   for door in ("webhook", "guard")]
        (gate / "kustomization.yaml").write_text(json.dumps({
            "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": NAMESPACE, "resources": ["../certs"],
            "images": [{"name": IMAGE, "digest": DIGEST}], "patches": patches,
            "configMapGenerator": [{"name": "portcullis-documents", "behavior": "replace", "files": names}],
            "generatorOptions": {"disableNameSuffixHash": True}}))

    @staticmethod
    def _write(documents, directory):
        """`documents`: a directory of YAML, or {file name: [documents]}."""
        if isinstance(documents, (str, pathlib.Path)):
            files = sorted(pathlib.Path(documents).glob("*.yaml"))
            for file in files:
                shutil.copy(file, directory / file.name)
            return [file.name for file in files]
        for name, content in documents.items():
            (directory / name).write_text("\n---\n".join(json.dumps(each, indent=1) for each in content) + "\n")
        return sorted(documents)

    def wait_ready(self, seconds=90):
        for component in self.components:
            self.kubelet.wait_ready(component, self.replicas, seconds)

    def wait_effective(self):
        """The API server has read the webhook configuration once a namespace of nobody, or whatever it is, is asked about."""
        probe = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "probe-", "namespace": "default"}}
        def condition():
            answer = self.cluster.admin.create(probe, dry_run=True)
            return any(key.startswith("validate") for key in (self.cluster.audit(answer).get("annotations") or {}))
        wait.until(condition, 30, "the webhook configuration in force")

    @property
    def pods(self):
        return self.kubelet.of("webhook")

    def hashes(self):
        """What the replicas say they judge by."""
        found = set()
        for pod in self.pods:
            status, text = pod.get("/readyz")
            found |= {line.split()[1] for line in text.splitlines() if line.startswith("documents ")}
        return found

    def extend(self, file, content):
        """Adds a file of documents, or takes it away, and waits until every replica judges by the new set."""
        if content is None:
            self.extras.pop(file, None)
        else:
            self.extras[file] = content
        self.change()

    def change(self, documents=None):
        """Writes the documents anew and waits until every replica judges by them."""
        before = self.hashes()
        if documents is not None:
            self.documents = documents
        self._overlay()
        self.cluster.kubectl("apply", "-k", self.dir / "gate", "-l", "app.kubernetes.io/component!=admission")
        wait.until(lambda: len(self.hashes()) == 1 and self.hashes() != before, 30, "the new documents in every replica")

    def decisions(self, **wanted):
        return [record for pod in self.kubelet.pods.values() for record in pod.decisions(**wanted)]
