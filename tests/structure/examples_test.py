"""examples/ and manifests/nginx: the compose file is one to compose, and the parts of each example agree with one another. That
they work is tests/e2e/guard's to show, with the real Traefik, nginx and guard."""

import ipaddress
import os
import pathlib
import re
import subprocess
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "examples/compose"
PROGRAM = pathlib.Path(os.environ.get("PORTCULLIS", ROOT / "build/portcullis"))

# Of the compose specification (compose-spec/compose-spec: spec.md), what these files use.
TOP = {"name", "services", "networks", "volumes", "secrets"}
SERVICE = {"image", "restart", "depends_on", "ports", "networks", "volumes", "healthcheck", "read_only", "cap_drop", "cap_add", "security_opt", "command", "environment",
           "user", "stop_grace_period", "logging", "secrets", "shm_size", "profiles"}


def load(path):
    return yaml.safe_load((COMPOSE / path).read_text())


def documents():
    return [each for path in sorted((COMPOSE / "documents").glob("*.yaml")) for each in yaml.safe_load_all(path.read_text())]


class Compose(unittest.TestCase):
    def setUp(self):
        self.file = load("compose.yaml")

    def test_words_are_the_specifications(self):
        self.assertEqual(set(self.file) - TOP, set())
        for name, service in self.file["services"].items():
            with self.subTest(service=name):
                self.assertEqual(set(service) - SERVICE, set())
                self.assertIsInstance(service["image"], str)
                self.assertTrue(all(isinstance(word, str) for word in service.get("command", [])), "a command is a list of strings")
                self.assertTrue(all(isinstance(value, str) for value in service.get("environment", {}).values()))

    def test_what_services_name_is_there(self):
        for name, service in self.file["services"].items():
            with self.subTest(service=name):
                self.assertLessEqual(set(service["networks"]), set(self.file["networks"]))
                self.assertLessEqual(set(service.get("secrets", [])), set(self.file["secrets"]))
                self.assertLessEqual(set(service.get("depends_on", [])), set(self.file["services"]))
                for volume in service.get("volumes", []):
                    source = volume.split(":")[0]
                    if source.startswith("./"):
                        made = source.startswith("./secrets") or source == "./addons"  # README.md makes them
                        self.assertTrue(made or (COMPOSE / source).exists(), source)
                    else:
                        self.assertIn(source, self.file["volumes"])
        used = {volume.split(":")[0] for service in self.file["services"].values() for volume in service.get("volumes", [])}
        self.assertEqual(set(self.file["volumes"]) - used, set())

    def test_variables_are_in_the_example_of_env(self):
        wanted = set(re.findall(r"\$\{(\w+)", (COMPOSE / "compose.yaml").read_text()))
        told = set(re.findall(r"^(?:# )?(\w+)=", (COMPOSE / ".env.example").read_text(), re.M))
        self.assertEqual(wanted, told)

    def test_nobody_but_traefik_reaches_the_guard(self):
        services = self.file["services"]
        self.assertNotIn("ports", services["guard"])
        self.assertTrue(self.file["networks"]["gate"]["internal"])
        self.assertEqual({name for name, service in services.items() if "gate" in service["networks"]}, {"traefik", "guard", "redis"})
        policy, = (each for each in documents() if each["kind"] == "GuardPolicy")
        gate = ipaddress.ip_network(self.file["networks"]["gate"]["ipam"]["config"][0]["subnet"])
        self.assertEqual([ipaddress.ip_network(each) for each in policy["spec"]["trustedProxies"]["cidrs"]], [gate])

    def test_traefik_writes_what_the_guard_reads(self):
        log = load("traefik/traefik.yaml")["accessLog"]
        self.assertEqual(log["format"], "json")
        self.assertIn(f"--access-log={log['filePath']}", self.file["services"]["guard"]["command"])
        for name in ("traefik", "guard"):
            self.assertTrue(any(volume.startswith(f"traefik-log:{pathlib.Path(log['filePath']).parent}") for volume in self.file["services"][name]["volumes"]))

    def test_routers_are_as_the_program_shows_them(self):
        text = (COMPOSE / "traefik/dynamic/guard.yaml").read_text()
        shown = yaml.safe_load(re.sub(r"^# (?=  )", "", text, flags=re.M))["http"]
        written = load("traefik/dynamic/odoo.yaml")["http"]
        self.assertEqual({name: {key: value for key, value in router.items() if key != "entryPoints"} for name, router in written["routers"].items()}, shown["routers"])
        self.assertEqual(set(written["services"]), {router["service"] for router in written["routers"].values()})
        hosts = {host for each in documents() if each["kind"] == "Tenant" for host in each["spec"]["hosts"]}
        self.assertEqual(hosts, set(re.findall(r"Host\(`([^`]+)`\)", str(written["routers"]))))

    def test_documents_are_valid(self):
        done = subprocess.run([str(PROGRAM), "config", "validate", "--config", str(COMPOSE / "documents")], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_programs_options_are_its_own(self):
        """As `--help` tells them; a value is not looked at."""
        told = subprocess.run([str(PROGRAM), "guard", "--help"], capture_output=True, text=True, timeout=60).stdout
        for word in self.file["services"]["guard"]["command"][1:]:
            with self.subTest(option=word):
                self.assertIn(word.split("=")[0] + " ", told)
        for name in self.file["services"]["guard"]["environment"]:
            with self.subTest(variable=name):
                self.assertIn(f"Env:{name})", told)


class Sidecar(unittest.TestCase):
    def test_traefik_writes_what_the_guard_reads(self):
        pod = yaml.safe_load((ROOT / "manifests/sidecar/traefik.yaml").read_text())["spec"]["template"]["spec"]
        traefik, guard, keeper = pod["containers"]
        log, = (word.split("=")[1] for word in traefik["args"] if word.startswith("--accesslog.filepath="))
        self.assertIn("--accesslog.format=json", traefik["args"])
        self.assertIn(f"--access-log={log}", guard["args"])
        self.assertIn(log, keeper["command"][-1])
        for container in (traefik, guard, keeper):
            self.assertTrue(any(mount["name"] == "traefik-log" and log.startswith(mount["mountPath"] + "/") for mount in container["volumeMounts"]))


if __name__ == "__main__":
    unittest.main()
