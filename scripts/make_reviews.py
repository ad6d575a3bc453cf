"""Makes manifests/example/reviews/<name>.json: what an API server would post for each example manifest.

    make_reviews.py            writes them anew
    make_reviews.py --check    says which are not what the manifests would give

The demo and everyone with curl use these files; nobody needs a cluster to see a decision. Several objects in one file give
several reviews.
"""

import hashlib
import json
import pathlib
import sys
import uuid

import yaml

EXAMPLE = pathlib.Path(__file__).resolve().parent.parent / "manifests/example"
PLURALS = {"Ingress": "ingresses"}
USER = {"username": "system:serviceaccount:argocd:argocd-application-controller", "uid": "8f2c1c7e-5a64-4d0e-9d0b-0f6a3f1c2b11",
        "groups": ["system:serviceaccounts", "system:serviceaccounts:argocd", "system:authenticated"]}


def review(manifest):
    group, _, version = manifest["apiVersion"].rpartition("/")
    kind = {"group": group, "version": version, "kind": manifest["kind"]}
    resource = {"group": group, "version": version, "resource": PLURALS.get(manifest["kind"], manifest["kind"].lower() + "s")}
    metadata = manifest["metadata"]
    name = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).digest()
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": str(uuid.UUID(bytes=name[:16], version=4)),
            "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource,
            "name": metadata["name"], "namespace": metadata["namespace"], "operation": "CREATE",
            "userInfo": USER, "object": manifest, "oldObject": None, "dryRun": False,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    }


def wanted():
    for folder in ("workloads", "denied", "mended"):
        for path in sorted((EXAMPLE / folder).glob("*.yaml")):
            manifests = [manifest for manifest in yaml.safe_load_all(path.read_text()) if manifest]
            for number, manifest in enumerate(manifests):
                name = path.stem if len(manifests) == 1 else f"{path.stem}-{number + 1}"
                yield EXAMPLE / "reviews" / f"{name}.json", json.dumps(review(manifest), indent=1) + "\n"


def main():
    files = dict(wanted())
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text() != text]
    strays = [path for path in (EXAMPLE / "reviews").glob("*.json") if path not in files]
    if "--check" in sys.argv:
        for path in stale + strays:
            print(f"{path.name}: not what the manifests give; run scripts/make_reviews.py")
        return 1 if stale or strays else 0
    for path in strays:
        path.unlink()
    for path in stale:
        path.write_text(files[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
