"""Documents that change while they decide: a good set is in force soon, a bad one never, and no answer is made of two
(threats E1, E2, E16).
"""

import pathlib
import signal
import tempfile
import threading
import unittest

import harness
from harness import review, workload


def documents(floor, tag="", **more):
    """A set that wants `floor` replicas; another `tag` makes another hash of the same verdicts."""
    return [
        harness.platform(**more),
        harness.tenant("acme", [{"name": "acme-prod"}], contacts={"owner": f"owner{tag}@acme.example"}),
        harness.policy("floor", ["acme-prod"], [{"id": "replica-floor", "with": {"min": floor}}]),
    ]


ONE = review(workload("Deployment", "acme-prod", replicas=1))
TWO = review(workload("Deployment", "acme-prod", replicas=2))
THREE = review(workload("Deployment", "acme-prod", replicas=3))
SECONDS_MAX = 2  # from a changed file to its verdicts


def setUpModule():
    global directory, pair
    directory = tempfile.TemporaryDirectory(prefix="portcullis-integration-")
    certificates = harness.Certificates(pathlib.Path(directory.name) / "ca")
    pair = (certificates.ca, *certificates.sign("server"))


def tearDownModule():
    directory.cleanup()


def reloads(door, result):
    return door.metric("portcullis_config_reloads_total", result=result)


class Changes(unittest.TestCase):
    def setUp(self):
        self.door = harness.Door("webhook", documents(2), certificates=pair)
        self.addCleanup(self.door.stop)

    def floor(self):
        return next(n for n, each in ((1, ONE), (2, TWO), (3, THREE)) if self.door.validate(each)["allowed"])

    def test_a_good_set_is_in_force_within_two_seconds(self):
        self.assertEqual(self.floor(), 2)
        before = self.door.hash()
        self.door.write_documents(documents(3))
        harness.eventually(lambda: self.floor() == 3, SECONDS_MAX, "the new set")
        self.assertNotEqual(self.door.hash(), before)
        self.assertEqual(self.door.validate(ONE)["auditAnnotations"]["policy-hash"], self.door.hash())
        records = harness.eventually(lambda: [r for r in self.door.records("config") if r["policy"] == self.door.hash()], what="the record")
        self.assertEqual(records[0]["event"], "loaded")

    def test_a_file_that_is_new_or_gone_counts(self):
        more = [harness.policy("more", ["acme-prod"], [{"id": "replica-floor", "with": {"min": 3}}])]
        self.door.write_documents(more, "more.yaml")
        harness.eventually(lambda: self.floor() == 3, SECONDS_MAX, "the new file")
        (self.door.config / "more.yaml").unlink()
        harness.eventually(lambda: self.floor() == 2, SECONDS_MAX, "its end")

    def test_sighup(self):
        loaded = reloads(self.door, "loaded")
        self.door.process.send_signal(signal.SIGHUP)
        harness.eventually(lambda: reloads(self.door, "loaded") > loaded, SECONDS_MAX, "the reload")
        self.assertEqual(self.floor(), 2)

    def test_a_bad_set_is_refused_and_said(self):
        """threats E1."""
        before = self.door.hash()
        text = harness.yaml_of(documents(3))
        bad = {
            "syntax": "{{ nonsense", "empty": "", "half": text[: len(text) // 2], "unknown field": text.replace('"min"', '"mni"'),
            "wrong type": text.replace('"min": 3', '"min": "three"'), "unknown rule": text.replace("replica-floor", "replica-flor"),
            "no platform": harness.yaml_of(documents(3)[1:]), "two platforms": harness.yaml_of(documents(3) + documents(3)[:1]),
            "too large": "# " + "x" * (5 * 1024 * 1024) + "\n" + text, "binary": "\0\1\2" + text,
        }
        for name, wrong in bad.items():
            with self.subTest(name):
                refused = reloads(self.door, "refused")
                self.door.write_documents(wrong)
                harness.eventually(lambda: reloads(self.door, "refused") > refused, SECONDS_MAX, "the refusal")
                self.assertEqual((self.floor(), self.door.hash()), (2, before))
        for page in (self.door.metrics_get("/readyz"), self.door.get("/readyz")):
            self.assertEqual(page.status, 200)
            self.assertIn("refused", page.text)
            self.assertIn("documents.yaml", page.text)
        self.assertIn("documents_refused", self.door.stderr())
        record = harness.eventually(lambda: [r for r in self.door.records("config") if r["event"] == "refused"], what="the record")[-1]
        self.assertEqual(record["policy"], before)
        (self.door.config / "documents.yaml").unlink()
        harness.eventually(lambda: reloads(self.door, "refused") >= len(bad) + 1, SECONDS_MAX, "the refusal of nothing")
        self.assertEqual(self.floor(), 2)
        self.door.write_documents(documents(3))
        harness.eventually(lambda: self.floor() == 3, SECONDS_MAX, "the good set")
        self.assertNotIn("refused", self.door.metrics_get("/readyz").text)

    def test_a_storm_of_sighups(self):
        """threats E16."""
        with harness.Traffic(self.door, threads=2) as traffic:
            for _ in range(500):
                self.door.process.send_signal(signal.SIGHUP)
            calls = traffic.calls
            harness.eventually(lambda: traffic.calls > calls + 100, what="traffic")
        self.assertEqual(traffic.failures, [])
        self.assertIsNone(self.door.process.poll())
        self.door.write_documents(documents(3))
        harness.eventually(lambda: self.floor() == 3, 5, "a change after the storm")


class Mounted(unittest.TestCase):
    def test_a_config_map_is_swapped_under_traffic(self):
        """threats E2: every answer's hash is of one of the sets, and its verdict is that set's."""
        sets = [documents(2), documents(3)]
        mount = harness.Mount(pathlib.Path(directory.name) / "mounted", {"documents.yaml": harness.yaml_of(sets[0])})
        floors, lock = {}, threading.Lock()  # hash: the floor it must decide by

        def consistent(sent, response):
            replicas = sent["request"]["object"]["spec"]["replicas"]
            found = response["auditAnnotations"].get("policy-hash")
            with lock:
                seen.setdefault(found, set()).add((replicas, response["allowed"]))
            return found is not None

        seen = {}
        with harness.Door("webhook", None, config=mount.path, certificates=pair) as door:
            floors[door.hash()] = 2
            mount.swap({"documents.yaml": harness.yaml_of(sets[1])})
            harness.eventually(lambda: door.hash() not in floors, SECONDS_MAX, "the swap")
            floors[door.hash()] = 3
            self.assertEqual(len(floors), 2)
            with harness.Traffic(door, check=consistent) as traffic:
                for n in range(100):
                    loaded = reloads(door, "loaded")
                    mount.swap({"documents.yaml": harness.yaml_of(sets[n % 2])})
                    door.process.send_signal(signal.SIGHUP)  # at once, not when the files have been quiet for a while
                    harness.eventually(lambda: reloads(door, "loaded") > loaded, what="the reload")
                calls = traffic.calls
                harness.eventually(lambda: traffic.calls > calls, what="traffic")
        self.assertEqual(traffic.failures, [])
        self.assertEqual(set(seen), set(floors))
        for found, verdicts in seen.items():
            self.assertEqual({allowed == (replicas >= floors[found]) for replicas, allowed in verdicts}, {True}, (found, verdicts))
        self.assertGreater(traffic.calls, 100)


class Start(unittest.TestCase):
    def test_a_bad_set_at_the_start_ends_it_with_every_error(self):
        wrong = documents(2)
        wrong[1]["spec"]["teir"] = 1
        wrong[2]["spec"]["rules"][0]["id"] = "replica-flor"
        with self.assertRaises(AssertionError) as caught:
            harness.Door("webhook", wrong, certificates=pair).stop()
        said = str(caught.exception)
        self.assertIn("ended with 2", said)
        self.assertIn("teir", said)
        self.assertIn("did you mean `replica-floor`", said)


if __name__ == "__main__":
    unittest.main()
