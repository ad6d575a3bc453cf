"""What a machine may run out of: file descriptors, room for more connections, patience (threats E14, E19, B49)."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import tempfile
import time
import unittest

import harness
from harness import review, workload

DOCUMENTS = [
    harness.platform(),
    harness.tenant("acme", [{"name": "acme-prod"}]),
    harness.policy("floor", ["acme-prod"], [{"id": "replica-floor", "with": {"min": 2}}]),
]
FILES = 64
CPU_SHARE_MAX = 0.2


def setUpModule():
    global directory, pair
    directory = tempfile.TemporaryDirectory(prefix="portcullis-integration-")
    certificates = harness.Certificates(pathlib.Path(directory.name) / "ca")
    pair = (certificates.ca, *certificates.sign("server"))


def tearDownModule():
    directory.cleanup()


def cpu_seconds(pid):
    """Processor time so far, of /proc/PID/stat."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Descriptors(unittest.TestCase):
    def test_more_connections_than_descriptors(self):
        """threats E19: health still answers, reloads still work, no busy loop."""
        with harness.Door("webhook", DOCUMENTS, certificates=pair, before=["prlimit", f"--nofile={FILES}:{FILES}"]) as door:
            context, crowd = door.context(), []
            try:
                for _ in range(200):  # each had its handshake and says nothing; the door makes room by closing older ones
                    crowd.append(door.raw(context))
                for _ in range(5):
                    started = time.monotonic()
                    self.assertEqual(door.get("/healthz").status, 200)
                    self.assertLess(time.monotonic() - started, 2)
                with contextlib.suppress(OSError):
                    for _ in range(100):  # these wait in the kernel's queue, so the listener stays ready
                        crowd.append(socket.create_connection(door.address, timeout=1))
                began, cpu = time.monotonic(), cpu_seconds(door.process.pid)
                time.sleep(1)  # the measurement itself
                self.assertLess((cpu_seconds(door.process.pid) - cpu) / (time.monotonic() - began), CPU_SHARE_MAX)
            finally:
                for each in crowd:
                    each.close()
            self.assertIsNone(door.process.poll())
            harness.eventually(lambda: door.metrics_get("/healthz").status == 200, what="health")
            wanted = door.hash()
            changed = [*DOCUMENTS[:2], harness.policy("floor", ["acme-prod"], [{"id": "replica-floor", "with": {"min": 3}}])]
            door.write_documents(changed)
            harness.eventually(lambda: door.hash() != wanted, what="the reload")
            self.assertFalse(door.validate(review(workload("Deployment", "acme-prod")))["allowed"])

    def test_descriptors_return(self):
        """threats I7: what connections took is given back."""
        with harness.Door("webhook", DOCUMENTS, certificates=pair) as door:
            door.get("/healthz")
            before = door.metrics()["process_open_fds"]
            crowd = [door.raw() for _ in range(300)]
            self.assertGreaterEqual(door.metrics()["process_open_fds"], before + 300)
            for each in crowd:
                each.close()
            harness.eventually(lambda: door.metrics()["process_open_fds"] <= before + 2, what="the descriptors' return")
            harness.eventually(lambda: door.metric("portcullis_net_connections_open", door="webhook") == 0, what="the connections' end")


class Crashes(unittest.TestCase):
    def test_killed_at_any_moment_it_starts_again(self):
        """threats E14: at most the last line of the log is torn."""
        log = pathlib.Path(directory.name) / "killed.jsonl"
        for n in range(8):
            with harness.Door("webhook", DOCUMENTS, "--audit-log", log, certificates=pair, audit_to_stdout=True) as door:
                with contextlib.closing(door.connect()) as connection:
                    for m in range(20 + 13 * n):
                        door.validate(review(workload("Deployment", "acme-prod", replicas=1)), connection)
                door.process.send_signal(signal.SIGKILL)
                door.process.wait(5)
        boots = {}
        torn = 0
        for line in log.read_bytes().split(b"\n"):
            try:
                record = json.loads(line)
                boots.setdefault(record["boot"], []).append(record["seq"])
            except ValueError:
                torn += line != b""
        self.assertEqual(len(boots), 8)
        self.assertLessEqual(torn, 8)
        for seqs in boots.values():
            self.assertEqual(seqs, list(range(len(seqs))))

    def test_stopped_and_continued(self):
        """threats E13."""
        with harness.Door("webhook", DOCUMENTS, certificates=pair) as door, contextlib.closing(door.connect()) as connection:
            self.assertTrue(door.validate(review(workload("Deployment", "acme-prod")), connection)["allowed"])
            door.process.send_signal(signal.SIGSTOP)
            harness.eventually(lambda: "\nState:\tT" in pathlib.Path(f"/proc/{door.process.pid}/status").read_text(), what="the stop")
            door.write_documents([*DOCUMENTS[:2], harness.policy("floor", ["acme-prod"], [{"id": "replica-floor", "with": {"min": 3}}])])
            door.process.send_signal(signal.SIGCONT)
            harness.eventually(lambda: not door.validate(review(workload("Deployment", "acme-prod")), connection)["allowed"], what="what changed meanwhile")


class StartUp(unittest.TestCase):
    """What cannot work says so and ends with 2."""

    def refused(self, *options, documents=DOCUMENTS, certificates=None, door="webhook", **more):
        with self.assertRaises(AssertionError) as caught:
            harness.Door(door, documents, *options, certificates=certificates, **more).stop()
        self.assertIn("ended with 2", str(caught.exception))
        return str(caught.exception)

    def test_errors(self):
        other = harness.Certificates(pathlib.Path(directory.name) / "other").sign("server")
        self.assertIn("--tls-cert", self.refused())
        self.assertIn("server", self.refused(certificates=(pair[0], pair[1], other[1])))
        self.assertIn("missing.pem", self.refused(certificates=(pair[0], "/missing.pem", pair[2])))
        self.assertIn("--client-auth", self.refused("--client-auth", "require", certificates=pair))
        self.assertIn("/missing/audit", self.refused("--audit-log", "/missing/audit", certificates=pair, audit_to_stdout=True))
        self.assertIn("GuardPolicy", self.refused(door="guard"))
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            self.assertIn(str(taken.getsockname()[1]), self.refused("--listen", "127.0.0.1:%d" % taken.getsockname()[1], certificates=pair))


if __name__ == "__main__":
    unittest.main()
