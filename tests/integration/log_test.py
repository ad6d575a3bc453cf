"""The decision log and everything else the doors say: one record an answer, none lost, and no secret in any of it
(threats B53, D, E9, E16).
"""

import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import signal
import tempfile
import time
import unittest

import harness
from harness import container, pod_spec, review, workload

DOCUMENTS = [
    harness.platform(),
    harness.tenant("acme", [{"name": "acme-prod"}], hosts=["erp.acme.example"]),
    harness.policy("all", ["acme-prod"], [{"id": "no-inline-secret"}, {"id": "image-digest", "with": {"require": "digest"}},
                                          {"id": "container-bounds", "inject": True, "with": {"defaults": {"limits.memory": "1Gi"}}}]),
    harness.document("GuardPolicy", "default", trustedProxies={"cidrs": ["127.0.0.0/8"], "hops": 1}, unknownHost="deny"),
]


def canary(n):
    return f"demoCANARY{n}x9Qz81xLmT2vB7w"


def setUpModule():
    global directory, pair
    directory = tempfile.TemporaryDirectory(prefix="portcullis-integration-")
    certificates = harness.Certificates(pathlib.Path(directory.name) / "ca")
    pair = (certificates.ca, *certificates.sign("server"))


def tearDownModule():
    directory.cleanup()


def dense(case, records):
    case.assertEqual([each["seq"] for each in records], list(range(len(records))))
    case.assertEqual(len({each["boot"] for each in records}), 1)
    for each in records:
        case.assertEqual((each["v"], each["log"]), (1, "portcullis"))
        case.assertRegex(each["t"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")


class Records(unittest.TestCase):
    def test_one_record_an_answered_review(self):
        with harness.Door("webhook", DOCUMENTS, certificates=pair, threads=3) as door:
            uids = []
            with harness.Traffic(door, threads=4, check=lambda sent, _: uids.append(sent["request"]["uid"]) or True) as traffic:
                harness.eventually(lambda: traffic.calls >= 400, 30, "traffic")
            for path in ("/mutate", "/validate"):
                sent = review(workload("Pod", "acme-prod"), uid=f"last-{path}")
                door.ask(path, sent).response()
                uids.append(sent["request"]["uid"])
            door.ask("/validate", b"{malformed")
            self.assertEqual(door.end(), 0)
            self.assertEqual(traffic.failures, [])
            records = door.records()
            dense(self, records)
            admissions = [each for each in records if each["kind"] == "admission"]
            self.assertEqual(sorted(each["uid"] for each in admissions), sorted(uids))
            self.assertEqual({each["door"] for each in admissions}, {"validate", "mutate"})
            self.assertEqual([each["kind"] for each in records if each["kind"] != "admission"], ["config"])

    def test_one_record_a_judged_request(self):
        with harness.Door("guard", DOCUMENTS) as door:
            headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "erp.acme.example", "X-Forwarded-Method": "GET"}
            for n in range(100):
                door.get("/v1/traefik/acme", {**headers, "X-Forwarded-Uri": ("/web/login", "/web/database/manager", "/web/%zz", "/web/image/1")[n % 4]})
            door.get("/healthz")
            door.end()
            records = door.records()
            dense(self, records)
            guard = [each for each in records if each["kind"] == "guard"]
            self.assertEqual(len(guard), 100)
            self.assertEqual({(each["verdict"], each["status"]) for each in guard}, {("pass", 200), ("refuse", 403), ("refuse", 400)})

    def test_a_log_that_is_moved_away_is_opened_anew(self):
        with harness.Door("webhook", DOCUMENTS, certificates=pair) as door:
            door.validate(review(workload("Pod", "acme-prod"), uid="before"))
            harness.eventually(lambda: [r for r in door.records("admission") if r["uid"] == "before"], what="the first record")
            moved = door.audit_log.with_suffix(".1")
            door.audit_log.rename(moved)
            door.process.send_signal(signal.SIGHUP)
            harness.eventually(door.audit_log.exists, what="the new file")
            door.validate(review(workload("Pod", "acme-prod"), uid="after"))
            harness.eventually(lambda: [r for r in door.records("admission") if r["uid"] == "after"], what="the second record")
            door.end()
            dense(self, [json.loads(line) for line in moved.read_text().splitlines()] + door.records())


class Secrets(unittest.TestCase):
    def outputs(self, door):
        metrics = door.metrics_get("/metrics").text + door.metrics_get("/readyz").text
        door.end()
        return {"decision log": door.audit_log.read_text(), "stderr": door.stderr(), "metrics": metrics}

    def clean(self, answers, outputs):
        self.assertGreater(len(answers), 3)
        for name, text in {**outputs, **{f"answer {n}": text for n, text in enumerate(answers)}}.items():
            self.assertNotIn("CANARY", text, name)
            self.assertNotIn("Q0FOQVJZ", text, name)  # in base64, as far as it is aligned

    def test_of_reviews(self):
        with harness.Door("webhook", DOCUMENTS, "--log-level", "debug", certificates=pair, env={"DEMO_PASSWORD": canary(0)}) as door:
            env = [{"name": "DB_PASSWORD", "value": canary(1)}]
            spec = pod_spec(container(env=env, args=[f"--db_password={canary(2)}"], image=f"https://user:{canary(3)}@registry.example/x"))
            thing = workload("Deployment", "acme-prod", spec, annotations={"example.com/token": canary(4)})
            thing["spec"]["template"]["spec"]["containers"][0].pop("resources")
            config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "odoo", "namespace": "acme-prod"},
                      "data": {"odoo.conf": f"admin_passwd = {canary(5)}\n", "url": f"postgres://odoo:{canary(6)}@db/odoo"}}
            answers = []
            for path in ("/validate", "/mutate"):
                for sent in (review(thing), review(config), review(thing, "UPDATE", old=thing), review(None, "DELETE", old=thing)):
                    answers.append(door.ask(f"{path}?timeout=5s&token={canary(7)}", sent, headers={"Authorization": f"Bearer {canary(8)}",
                                                                                                 "Cookie": f"session_id={canary(9)}"}).text)
                answers.append(door.ask(path, json.dumps(review(thing)).encode()[:-9]).text)
                answers.append(door.ask(f"/{canary(10)}", review(thing)).text)
            self.assertIn("no-inline-secret", answers[0])
            self.clean(answers, self.outputs(door))

    def test_of_guarded_requests(self):
        with harness.Door("guard", DOCUMENTS, "--log-level", "debug") as door:
            answers = []
            for uri in (f"/web/login?token={canary(1)}", f"/web/database/manager?master_pwd={canary(2)}", f"/web/%zz?{canary(3)}"):
                for tenant in ("acme", "nobody"):
                    answers.append(door.get(f"/v1/traefik/{tenant}?key={canary(4)}", {
                        "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "erp.acme.example", "X-Forwarded-Method": "POST", "X-Forwarded-Uri": uri,
                        "Cookie": f"session_id={canary(5) * 2}; other={canary(6)}", "Authorization": f"Bearer {canary(7)}",
                        "User-Agent": canary(8), "X-Custom": canary(9)}).text)
            outputs = self.outputs(door)
            self.clean(answers, outputs)
            self.assertNotIn("203.0.113.9", outputs["decision log"])  # personal data is hashed

    def test_hostile_text_stays_one_line(self):
        """threats B53."""
        with harness.Door("guard", DOCUMENTS) as door:
            for uri in ('/web/"},{"x":"', "/web/\x1b[31m", "/web/\u2028", "/web/%0a%0d{"):
                with contextlib.closing(door.raw()) as sock:
                    sock.sendall(b"GET /v1/traefik/acme HTTP/1.1\r\nHost: g\r\nConnection: close\r\nX-Forwarded-For: 203.0.113.9\r\n"
                                 b"X-Forwarded-Host: erp.acme.example\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Uri: " + uri.encode() + b"\r\n\r\n")
                    while sock.recv(4096):
                        pass
            door.end()
            dense(self, door.records())  # every line parsed
            self.assertNotIn("\x1b", door.audit_log.read_text() + door.stderr())


class Outputs(unittest.TestCase):
    """Where the log is written may fail; the doors go on."""

    def lives(self, door):
        for _ in range(50):
            self.assertFalse(door.validate(review(workload("Pod", "acme-prod", pod_spec(container(image="odoo")))))["allowed"])
        self.assertIsNone(door.process.poll())

    def test_to_standard_output(self):
        with tempfile.TemporaryFile() as out, harness.Door("webhook", DOCUMENTS, certificates=pair, audit_to_stdout=True, stdout=out) as door:
            self.lives(door)
            door.end()
            out.seek(0)
            records = [json.loads(line) for line in out.read().splitlines()]
            dense(self, records)
            self.assertEqual(len([each for each in records if each["kind"] == "admission"]), 50)

    def test_a_reader_that_went_away(self):
        """SIGPIPE must not end a door."""
        reading, writing = os.pipe()
        with harness.Door("webhook", DOCUMENTS, certificates=pair, audit_to_stdout=True, stdout=writing) as door:
            os.close(writing)
            os.close(reading)
            self.lives(door)
            harness.eventually(lambda: door.metric("portcullis_audit_write_errors_total") > 0, what="the count of failed writes")
            door.process.kill()  # its end is that of the full disk below

    def test_closed_standard_output_and_input(self):
        def close():
            os.close(0)
            os.close(1)
        with harness.Door("webhook", DOCUMENTS, certificates=pair, audit_to_stdout=True, stdout=None, preexec=close) as door:
            self.lives(door)
            door.process.kill()

    def test_a_full_disk(self):
        """threats E9."""
        with harness.Door("webhook", DOCUMENTS, "--audit-log", "/dev/full", certificates=pair, audit_to_stdout=True) as door:
            self.lives(door)
            harness.eventually(lambda: door.metric("portcullis_audit_write_errors_total") > 0, what="the count of failed writes")
            self.assertEqual(door.get("/healthz").status, 200)
            started = time.monotonic()
            self.assertEqual(door.end(), 0)
            self.assertLess(time.monotonic() - started, 10, "what cannot be written is tried for some seconds, not for ever")

    def test_an_input_hash_is_keyed(self):
        key = pathlib.Path(directory.name) / "hash.key"
        key.write_bytes(b"k" * 32)
        body = json.dumps(review(workload("Pod", "acme-prod", pod_spec(container(image="odoo"))))).encode()
        found = set()
        for options in (("--hash-key", key), ("--hash-key", key), ()):
            with harness.Door("webhook", DOCUMENTS, *options, certificates=pair) as door:
                door.ask("/validate", body)
                door.end()
                found.add(door.records("admission")[0]["in"])
        self.assertEqual(len(found), 2)
        self.assertIn("hmac:" + hmac.new(b"k" * 32, body, hashlib.sha256).hexdigest()[:32], found)


if __name__ == "__main__":
    unittest.main()
