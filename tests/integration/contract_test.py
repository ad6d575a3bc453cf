"""What the API server checks in an AdmissionReview's answer, and what the webhook says to requests that are none.

Contract: Kubernetes admission.k8s.io/v1 (apiserver pkg/admission/plugin/webhook/request/admissionreview.go).
"""

import contextlib
import copy
import json
import tempfile
import unittest

import harness
from harness import container, pod_spec, review, workload

DOCUMENTS = [
    harness.platform(),
    harness.tenant("acme", [{"name": "acme-prod"}, {"name": "acme-warned"}]),
    harness.policy("floor", ["acme-prod"], [{"id": "replica-floor", "with": {"min": 2}},
                                            {"id": "container-bounds", "inject": True, "with": {"defaults": {"limits.memory": "1Gi"}}}]),
    harness.policy("warned", ["acme-warned"], [{"id": "image-digest", "mode": "warn", "with": {"require": "digest"}}]),
]
JSON = {"Content-Type": "application/json"}


def setUpModule():
    global directory, door
    directory = tempfile.TemporaryDirectory(prefix="portcullis-integration-")
    certificates = harness.Certificates(directory.name)
    door = harness.Door("webhook", DOCUMENTS, certificates=(certificates.ca, *certificates.sign("server")))


def tearDownModule():
    door.stop()
    directory.cleanup()


class Answers(unittest.TestCase):
    def check(self, answer, sent):
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["Content-Type"].split(";")[0], "application/json")
        body = answer.json()
        self.assertEqual((body["apiVersion"], body["kind"]), ("admission.k8s.io/v1", "AdmissionReview"))
        self.assertEqual(set(body), {"apiVersion", "kind", "response"})
        response = body["response"]
        self.assertEqual(response["uid"], sent["request"]["uid"])
        self.assertIsInstance(response["allowed"], bool)
        return response

    def test_the_envelope_of_both_doors(self):
        for path in ("/validate", "/mutate"):
            for thing in (workload("Deployment", "acme-prod"), workload("Deployment", "acme-prod", replicas=1)):
                sent = review(thing)
                self.check(door.ask(path, sent), sent)

    def test_no_patch_keys_where_there_is_no_patch(self):
        """An empty patchType on a validating answer is failurePolicy to the API server."""
        sent = review(workload("Deployment", "acme-prod"))
        for path in ("/validate", "/mutate"):
            response = self.check(door.ask(path, sent), sent)
            self.assertNotIn("patch", response)
            self.assertNotIn("patchType", response)
        self.assertNotIn("status", response)

    def test_patch_and_type_together(self):
        sent = review(workload("Deployment", "acme-prod", pod_spec(container(resources={"requests": {"cpu": "1", "memory": "1Gi"}}))))
        response = self.check(door.ask("/mutate", sent), sent)
        self.assertEqual(response["patchType"], "JSONPatch")
        self.assertTrue(response["patch"])

    def test_a_uid_comes_back_byte_for_byte(self):
        for uid in ("705ab4f5-6393-11e8-b7cc-42010a800002", 'quo"te\\back', "ünï-☃"):
            sent = review(workload("Deployment", "acme-prod"), uid=uid)
            self.check(door.ask("/validate", sent), sent)

    def test_audit_annotations(self):
        thing = workload("Deployment", "acme-prod", replicas=1,
                         annotations={"portcullis.dev/change-ticket": "CHG0001", "portcullis.dev/approved-by": "boss@acme.example"})
        sent = review(thing)
        annotations = self.check(door.ask("/validate", sent), sent)["auditAnnotations"]
        self.assertEqual(annotations["decision"], "deny")
        self.assertEqual(annotations["tenant"], "acme")
        self.assertEqual(annotations["policy-hash"], door.hash())
        self.assertEqual(annotations["findings"], "replica-floor")
        self.assertEqual((annotations["change-ticket"], annotations["approved-by"]), ("CHG0001", "boss@acme.example"))
        for key, value in annotations.items():
            self.assertRegex(key, r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")
            self.assertIsInstance(value, str)

    def test_warnings_keep_within_what_reaches_a_client(self):
        spec = pod_spec(*(container(name=f"c{n}", image="registry.hoster.example/" + "x" * 200 + f":{n}") for n in range(60)))
        sent = review(workload("Deployment", "acme-warned", spec))
        warnings = self.check(door.ask("/validate", sent), sent)["warnings"]
        self.assertGreater(len(warnings), 1)
        self.assertLessEqual(sum(map(len, warnings)), 4096)
        for each in warnings:
            self.assertLessEqual(len(each), 256)
            self.assertTrue(each.isascii() and each.isprintable(), each)

    def test_a_hostile_value_breaks_no_message(self):
        """A warning with a control character is dropped by the API server without a word."""
        spec = pod_spec(container(image="evil\n\x1b[31m\u202e:latest"))
        sent = review(workload("Deployment", "acme-warned", spec))
        warnings = self.check(door.ask("/validate", sent), sent)["warnings"]
        self.assertTrue(warnings)
        for each in warnings:
            self.assertTrue(each.isascii() and each.isprintable(), each)

    def test_timeouts_are_go_durations(self):
        sent = review(workload("Deployment", "acme-prod"))
        for timeout, milliseconds in (("10s", 8000), ("2s", 1000), ("1m0s", 24000), ("500ms", 500), ("nonsense", 8000), ("", 8000)):
            with self.subTest(timeout=timeout):
                sent["request"]["uid"] = "timeout-" + (timeout or "empty")
                self.check(door.ask(f"/validate?timeout={timeout}", sent), sent)
                record = harness.eventually(
                    lambda: [r for r in door.records("admission") if r["uid"] == sent["request"]["uid"]], what="the record")[0]
                self.assertEqual(record["deadline_ms"], milliseconds)

    def test_a_deep_or_wide_object_is_answered_and_denied(self):
        """threats A2: the work of one review is bounded, and what is beyond is no."""
        deep = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "deep", "namespace": "acme-prod"}}
        at = deep
        for _ in range(200):
            at["x"] = {}
            at = at["x"]
        wide = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "wide", "namespace": "acme-prod"}, "data": [0] * 400_000}
        for thing in (deep, wide):
            sent = review(thing)
            response = self.check(door.ask("/validate", sent), sent)
            self.assertFalse(response["allowed"])


class NoReview(unittest.TestCase):
    def test_statuses(self):
        body = json.dumps(review(workload("Deployment", "acme-prod"))).encode()
        for method, path, headers, data, status in (
            ("POST", "/", JSON, body, 404),
            ("POST", "/validate/", JSON, body, 404),
            ("POST", "/metrics", JSON, body, 404),
            ("GET", "/metrics", {}, None, 404),
            ("GET", "/validate", {}, None, 405),
            ("PUT", "/mutate", JSON, body, 405),
            ("POST", "/validate", {"Content-Type": "text/plain"}, body, 415),
            ("POST", "/validate", {"Content-Type": "application/jsonx"}, body, 415),
            ("POST", "/validate", {"Content-Type": ""}, body, 415),
            ("POST", "/validate", {"Content-Type": "application/json; charset=utf-8"}, body, 200),
            ("POST", "/validate", {"Content-Type": "APPLICATION/JSON"}, body, 200),
            ("GET", "/healthz", {}, None, 200),
            ("GET", "/readyz", {}, None, 200),
        ):
            with self.subTest(method=method, path=path, headers=headers):
                answer = door.get(path, headers, method, data)
                self.assertEqual(answer.status, status, answer.text)
                if status == 405:
                    self.assertEqual(answer.headers["Allow"], "POST")

    def test_never_a_redirect(self):
        """The API server follows them (CVE-2020-8561)."""
        for path in ("/validate//", "//validate", "/./validate", "/%76alidate", "/mutate/../validate"):
            self.assertEqual(door.ask(path, review(workload("Deployment", "acme-prod"))).status, 404, path)

    def malformed(self):
        good = review(workload("Deployment", "acme-prod", replicas=1))

        def without(*path, **change):
            wrong = copy.deepcopy(good)
            at = wrong
            for step in path[:-1]:
                at = at[step]
            if "value" in change:
                at[path[-1]] = change["value"]
            else:
                del at[path[-1]]
            return json.dumps(wrong).encode()

        text = json.dumps(good).encode()
        return {
            "empty": b"", "blank": b"   ", "not JSON": b"{oops", "cut": text[:-5], "array": b"[]", "null": b"null", "number": b"1",
            "trailing": text + b"{}", "no request": without("request"), "null request": without("request", value=None),
            "no uid": without("request", "uid"), "empty uid": without("request", "uid", value=""), "uid number": without("request", "uid", value=7),
            "other version": without("apiVersion", value="admission.k8s.io/v1beta1"), "other kind": without("kind", value="TokenReview"),
            "no operation": without("request", "operation"), "odd operation": without("request", "operation", value="PATCH"),
            "no userInfo": without("request", "userInfo", value=3), "object is text": without("request", "object", value="x"),
            "bad UTF-8": text.replace(b"odoo", b"od\xffo", 1), "lone surrogate": text.replace(b'"odoo"', b'"\\ud800"', 1),
            "doubled key": text.replace(b'"operation": "CREATE"', b'"operation": "DELETE", "operation": "CREATE"'),
            "doubled replicas": text.replace(b'"replicas": 1', b'"replicas": 1, "replicas": 5'),
            "NaN": text.replace(b'"replicas": 1', b'"replicas": NaN'), "deep": b"[" * 100_000 + b"]" * 100_000,
            "byte order mark": b"\xef\xbb\xbf" + text,
        }

    def test_a_malformed_review_is_no_answer_and_the_next_one_is_on_the_same_connection(self):
        """An internal or input error must never be an `allowed` of either sort, and must not poison the connection."""
        good = review(workload("Deployment", "acme-prod", replicas=1))
        with contextlib.closing(door.connect()) as connection:
            connection.connect()
            port = connection.sock.getsockname()
            for name, body in self.malformed().items():
                with self.subTest(name):
                    answer = door.ask("/validate", body, connection)
                    if name == "doubled replicas":  # readable, and what two readers may read differently is denied or refused
                        self.assertTrue(answer.status == 400 or answer.response()["allowed"] is False)
                    else:
                        self.assertEqual(answer.status, 400, answer.text)
                        self.assertNotIn("allowed", answer.text)
                    self.assertFalse(door.validate(good, connection)["allowed"])
                    self.assertEqual(connection.sock.getsockname(), port)

    def test_a_refusal_shows_nothing_of_the_request(self):
        canary = "demo-canary-7Rk2pQ"
        wrong = review(workload("Deployment", "acme-prod", pod_spec(container(env=[{"name": "PASSWORD", "value": canary}]))))
        wrong["request"]["operation"] = "PATCH"
        for body in (canary.encode(), b'{"%s": 1, "%s": 2}' % (canary.encode(), canary.encode()), json.dumps(wrong).encode(),
                     json.dumps(wrong).encode()[:-3], json.dumps({**wrong, "apiVersion": "v1"}).encode()):
            answer = door.ask("/validate", body)
            self.assertEqual(answer.status, 400)
            self.assertNotIn(canary, answer.text)
        self.assertNotIn(canary, door.stderr())


if __name__ == "__main__":
    unittest.main()
