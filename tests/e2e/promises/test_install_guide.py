"""docs/install.md, typed as it stands: from an empty cluster to a first denied pod, and back out."""

import os
import re
import shutil
import subprocess

import pytest

from harness import kubelet, tools

GUIDE = tools.ROOT / "docs/install.md"


def commands():
    """Each `$ command` of the console blocks, with the lines that continue it."""
    found = []
    for block in re.findall(r"^ *```console\n(.*?)^ *```", GUIDE.read_text(), re.M | re.S):
        for line in block.split("\n"):
            line = line.strip()
            if line.startswith("$ "):
                found.append(line[2:])
            elif line.startswith("> ") or (found and found[-1].endswith("\\")):
                found[-1] += "\n" + line.removeprefix("> ")
    return found


def test_every_command_of_the_guide_does_what_it_says(new_cluster, tmp_path):
    words = commands()
    assert len(words) > 5, words
    kubelet.Kubelet(new_cluster)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, target in (("kubectl", tools.tool("kubectl")), ("helm", tools.tool("helm")), ("portcullis", tools.PROGRAM)):
        os.symlink(target, programs / name)
    shutil.copytree(tools.ROOT / "manifests", tmp_path / "manifests")  # the guide writes into its copy
    log = []
    for command in words:
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=240,
                              env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "KUBECONFIG": str(new_cluster.admin_kubeconfig), "HOME": str(tmp_path)})
        log.append(f"$ {command}\n{done.stdout}{done.stderr}[{done.returncode}]")
        expected_to_fail = "denied" in done.stderr and "portcullis.dev" in done.stderr
        assert done.returncode == 0 or expected_to_fail, "\n".join(log)
    text = "\n".join(log)
    assert re.search(r'admission webhook "validate[^"]*portcullis\.dev" denied the request', text), text
    assert not [each for each in new_cluster.admin.list("ValidatingWebhookConfiguration") if "portcullis" in each["metadata"]["name"]], text
