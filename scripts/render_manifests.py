"""Writes the manifests that the program makes of the registry of fields and of documents: manifests/crds, rbac.yaml and
webhooks.yaml of manifests/base and of manifests/example/cluster, and the Middlewares of
manifests/example/traefik and examples/compose. `--check` tells which are not as the program would write them, and exits 1.

    python3 scripts/render_manifests.py [--check]      the program is build/portcullis, or the one that PORTCULLIS names
"""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MANIFESTS = ROOT / "manifests"
PROGRAM = os.environ.get("PORTCULLIS", str(ROOT / "build/portcullis"))


def render(*words):
    return subprocess.run([PROGRAM, "render", *words], check=True, capture_output=True, text=True, timeout=60).stdout


def rendered():
    """(path, text) of each file."""
    for directory in (MANIFESTS / "base", MANIFESTS / "example/cluster"):
        documents = ("--config", str(directory / "documents"))
        yield directory / "rbac.yaml", render("rbac", *documents)
        yield directory / "webhooks.yaml", render("webhook-config", *documents)
    yield (MANIFESTS / "example/traefik/middlewares.yaml",
           render("middleware", "--config", str(MANIFESTS / "example/documents"), "--tenant", "nordhaven-supply", "--into", "nordhaven-wms-prod"))
    yield (ROOT / "examples/compose/traefik/dynamic/guard.yaml",
           render("middleware", "--config", str(ROOT / "examples/compose/documents"), "--format", "file", "--guard-url", "http://guard:9000"))
    for text in render("crds").split("\n---\n"):
        text = text.rstrip("\n") + "\n"
        plural = text.split("name: ", 1)[1].split(".", 1)[0]
        if plural != "tenantquotas":  # written by hand; the program carries it along
            yield MANIFESTS / f"crds/{plural}.yaml", text


def main():
    check = "--check" in sys.argv[1:]
    stale = []
    for path, text in rendered():
        if path.exists() and path.read_text() == text:
            continue
        stale.append(path)
        if not check:
            path.write_text(text)
    for path in stale:
        print(f"{'stale' if check else 'written'}: {path.relative_to(ROOT)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
