"""The manifests: that they are what their comments say, that the webhook configurations ask for what the rules judge, that
the reviews are made of the manifests beside them, and that the program's own workloads pass the program's own rules."""

import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
MANIFESTS = ROOT / "manifests"
PROGRAM = pathlib.Path(os.environ.get("PORTCULLIS", ROOT / "build/portcullis"))
EXAMPLE = MANIFESTS / "example"
CHART = MANIFESTS / "helm/portcullis"


def documents(path):
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def check(*arguments):
    command = [str(PROGRAM), "check", "--config", str(EXAMPLE / "documents"), "--at", "2026-12-01T12:00:00Z", "-o", "json", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


class Manifests(unittest.TestCase):
    def test_all_of_them_are_yaml(self):
        paths = sorted(path for path in MANIFESTS.rglob("*.yaml") if MANIFESTS / "helm" not in path.parents)   # templates are not
        self.assertGreater(len(paths), 10)
        for path in paths:
            with self.subTest(file=str(path.relative_to(ROOT))):
                self.assertTrue(all("kind" in document for document in documents(path)))

    def test_kustomizations_name_every_file(self):
        for path in MANIFESTS.rglob("kustomization.yaml"):
            kustomization = documents(path)[0]
            named = {name for name in kustomization.get("resources", []) if not (path.parent / name).is_dir()}
            for generator in kustomization.get("configMapGenerator", []):
                named |= set(generator["files"])
            named |= {patch["path"] for patch in kustomization.get("patches", []) if "path" in patch}
            present = {str(file.relative_to(path.parent)) for file in path.parent.rglob("*.yaml")} - {"kustomization.yaml"}
            with self.subTest(file=str(path.relative_to(ROOT))):
                self.assertEqual(named, present)

    def test_written_manifests_are_as_the_program_writes_them(self):
        done = subprocess.run([sys.executable, str(ROOT / "scripts/render_manifests.py"), "--check"], capture_output=True, text=True,
                              env={**os.environ, "PORTCULLIS": str(PROGRAM)})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + "`python3 scripts/render_manifests.py` writes them")

    def test_the_first_documents_hold_every_rule_that_needs_no_parameter_of_the_hoster(self):
        policy, = documents(MANIFESTS / "base/documents/policies.yaml")
        held = {rule["id"] for rule in policy["spec"]["rules"]}
        every = {line.split("(")[1].split(")")[0].replace("_", "-")
                 for line in (ROOT / "policy/rule/rules.def").read_text().splitlines() if line.startswith("PORTCULLIS_RULE(")}
        self.assertEqual(every - held, {"image-registry"}, "which must be told whose registry")

    def test_webhooks_ask_for_what_rules_judge(self):
        validating, mutating = documents(MANIFESTS / "base/webhooks.yaml")
        tiers = [webhook for webhook in validating["webhooks"] if webhook["name"].startswith("validate-tier-")]
        self.assertEqual(len(tiers), 3)
        resources = {name for rule in tiers[0]["rules"] for name in rule["resources"]}
        for source in (ROOT / "policy/rule").glob("*.cpp"):
            for group in re.findall(r"\.subresources = \{([^}]*)\}", source.read_text()):
                for subresource in re.findall(r'"(\w+)"', group):
                    with self.subTest(rule=source.stem, subresource=subresource):
                        self.assertTrue(any(name.endswith("/" + subresource) for name in resources))
        for webhook in validating["webhooks"] + mutating["webhooks"]:
            with self.subTest(webhook=webhook["name"]):
                self.assertIn(webhook["sideEffects"], ("None", "NoneOnDryRun"))
                self.assertEqual(webhook["matchPolicy"], "Equivalent")
                self.assertLessEqual(webhook["timeoutSeconds"], 5)
                self.assertNotIn("secrets", {name for rule in webhook["rules"] for name in rule["resources"]})
                self.assertNotIn("*", {name for rule in webhook["rules"] for name in rule["resources"]})
                left_out = webhook["namespaceSelector"]["matchExpressions"][0]["values"]
                platform = documents(MANIFESTS / "base/documents/platform.yaml")[0]
                self.assertEqual(left_out, platform["spec"]["systemNamespaces"])
                self.assertEqual(webhook["failurePolicy"], "Ignore", "documents in audit mode stop nobody's work")
        self.assertNotIn("replicasets", {name for webhook in mutating["webhooks"] for rule in webhook["rules"] for name in rule["resources"]})

    def test_pods_are_restricted(self):
        for path in (MANIFESTS / "base/webhook.yaml", MANIFESTS / "base/guard.yaml", MANIFESTS / "sidecar/traefik.yaml"):
            pod = documents(path)[0]["spec"]["template"]["spec"]
            for container in pod["containers"]:
                with self.subTest(file=path.name, container=container["name"]):
                    self.assertTrue(container["securityContext"]["readOnlyRootFilesystem"])
                    self.assertFalse(container["securityContext"]["allowPrivilegeEscalation"])
                    self.assertEqual(container["securityContext"]["capabilities"], {"drop": ["ALL"]})
                    self.assertIn("readinessProbe", container)
            self.assertEqual(pod["securityContext"]["runAsUser"], 65532)
            self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})

    def test_reviews_are_made_of_the_manifests(self):
        done = subprocess.run([sys.executable, str(ROOT / "scripts/make_reviews.py"), "--check"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Chart(unittest.TestCase):
    """What can be seen of the Helm chart without Helm; tests/e2e/packaging renders it."""

    def test_the_schema_knows_every_value_and_refuses_every_other_word(self):
        def compare(schema, values, path):
            if schema.get("properties") is None:
                return   # a word, or names of the user's own
            with self.subTest(value=path):
                self.assertIs(schema["additionalProperties"], False)
                self.assertEqual(set(schema["properties"]) - {"global"}, set(values))
            for name, value in values.items():
                compare(schema["properties"][name], value, f"{path}.{name}")
        schema = json.loads((CHART / "values.schema.json").read_text())
        compare(schema, documents(CHART / "values.yaml")[0], "values")

    def test_its_files_are_those_of_the_base(self):
        for name, target in {"crds": "crds", "documents": "base/documents", "webhooks.yaml": "base/webhooks.yaml", "rbac.yaml": "base/rbac.yaml"}.items():
            with self.subTest(file=name):
                self.assertEqual((CHART / "files" / name).resolve(), MANIFESTS / target)

    def test_its_versions_are_the_programs(self):
        version = re.search(r"project\(portcullis VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        self.assertEqual((chart["version"], chart["appVersion"]), (version, version))


class OwnMedicine(unittest.TestCase):
    """Runs build/portcullis over the manifests."""

    def test_documents_are_valid(self):
        for directory in (EXAMPLE / "documents", EXAMPLE / "cluster/documents", MANIFESTS / "base/documents", MANIFESTS / "sidecar/documents", ROOT / "bench/documents"):
            with self.subTest(directory=str(directory.relative_to(ROOT))):
                done = subprocess.run([str(PROGRAM), "config", "validate", "--config", str(directory)], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_our_own_workloads_pass_in_a_tenants_namespace(self):
        for path in ("base/webhook.yaml", "base/guard.yaml", "base/access.yaml", "base/network.yaml", "sidecar/traefik.yaml"):
            with self.subTest(file=path):
                code, report, errors = check("-n", "meridian-finance-prod", MANIFESTS / path)
                self.assertEqual(code, 0, json.dumps(report, indent=1) + errors)
                self.assertGreater(report["summary"]["objects"], 0)
                self.assertEqual(report["summary"]["warned"] + report["summary"]["denied"] + report["summary"]["excepted"], 0)

    def test_examples_pass(self):
        for path in sorted((EXAMPLE / "workloads").glob("*.yaml")) + sorted((EXAMPLE / "traefik").glob("*.yaml")):
            with self.subTest(file=path.name):
                code, report, errors = check(path)
                self.assertEqual(code, 0, json.dumps(report, indent=1) + errors)

    def test_denied_ones_are_denied(self):
        wanted = {
            "hotfix": {"image-registry", "no-inline-secret", "image-digest", "container-bounds", "replica-floor", "anti-affinity"},
            "odoo-conf": {"no-inline-secret"},
            "foreign-secret": {"secret-reference"},
            "sidecar-image": {"image-registry", "image-digest"},
            "anti-affinity-of-others": {"anti-affinity", "container-bounds"},
        }
        self.assertEqual({path.stem for path in (EXAMPLE / "denied").glob("*.yaml")}, set(wanted))
        for name, rules in wanted.items():
            with self.subTest(file=name):
                code, report, errors = check(EXAMPLE / "denied" / f"{name}.yaml")
                self.assertEqual(code, 1, errors)
                self.assertEqual({finding["rule"] for decision in report["decisions"] for finding in decision["findings"]}, rules)

    def test_what_the_readme_shows_is_what_is_said(self):
        block = re.search(r"^```\n\$ build/portcullis (check .*)\n…\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
        self.assertIsNotNone(block)
        done = subprocess.run([str(PROGRAM), *block.group(1).split()], cwd=ROOT, capture_output=True, text=True)
        for paragraph in block.group(2).strip().split("\n\n"):
            with self.subTest(paragraph=paragraph.splitlines()[0]):
                self.assertIn(re.sub(r"; \d+ ms$", "", paragraph), done.stdout)

    def test_unmended_ones_are_denied(self):
        for path in (EXAMPLE / "mended").glob("*.yaml"):
            with self.subTest(file=path.name):
                self.assertEqual(check(path)[0], 1)


if __name__ == "__main__":
    unittest.main()
