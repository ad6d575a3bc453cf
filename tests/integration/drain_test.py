"""The end of a door: nobody's call fails, and it comes in time (threats C2, E15)."""

import contextlib
import json
import pathlib
import signal
import socket
import ssl
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
DRAIN_DELAY_DEFAULT, DRAIN_MAX = 15, 25
ASK = review(workload("Deployment", "acme-prod"))


def setUpModule():
    global directory, pair
    directory = tempfile.TemporaryDirectory(prefix="portcullis-integration-")
    certificates = harness.Certificates(pathlib.Path(directory.name) / "ca")
    pair = (certificates.ca, *certificates.sign("server"))


def tearDownModule():
    directory.cleanup()


class Drain(unittest.TestCase):
    def door(self, **more):
        door = harness.Door("webhook", DOCUMENTS, certificates=pair, **more)
        self.addCleanup(door.stop)
        return door

    def hung(self, door):
        """A peer that has asked for much and reads nothing of it."""
        sock = door.raw()
        self.addCleanup(sock.close)
        sock.setblocking(False)
        with contextlib.suppress(ssl.SSLWantWriteError, BlockingIOError):
            for _ in range(2000):
                sock.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
        return sock

    def test_sigterm_under_traffic_with_the_default_delay(self):
        """What Kubernetes does: the signal and the Endpoints' change start together, and callers come for a while yet."""
        door = self.door(drain_delay=DRAIN_DELAY_DEFAULT)
        with contextlib.closing(door.connect()) as kept, harness.Traffic(door) as traffic:
            self.assertTrue(door.validate(ASK, kept)["allowed"])
            harness.eventually(lambda: traffic.calls > 50, what="traffic")
            started = time.monotonic()
            door.process.send_signal(signal.SIGTERM)
            harness.eventually(lambda: door.metrics_get("/readyz").status == 503, 1, "readiness off")
            harness.eventually(lambda: door.get("/readyz").status == 503, 1, "readiness off at the door")
            self.assertEqual(door.metrics_get("/healthz").status, 200)
            answer = door.ask("/validate", ASK, kept)  # a connection that was idle when the signal came
            self.assertEqual((answer.status, answer.headers["Connection"].lower()), (200, "close"))
            closes, calls = traffic.closes, traffic.calls
            harness.eventually(lambda: traffic.closes > closes and traffic.calls > calls + 500, DRAIN_DELAY_DEFAULT - 2, "traffic in the drain")
            self.assertLess(time.monotonic() - started, DRAIN_DELAY_DEFAULT - 1)
        self.assertEqual(traffic.failures, [])
        self.assertEqual(door.process.wait(DRAIN_MAX), 0)
        took = time.monotonic() - started
        self.assertTrue(DRAIN_DELAY_DEFAULT - 1 <= took <= DRAIN_MAX, took)
        self.assertIn("drained", door.stderr())
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(door.address, timeout=2)
        self.assertEqual(len(door.records("admission")), traffic.calls + 2)  # none is lost at the end

    def test_a_second_signal_ends_it_at_once(self):
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)):
            with self.subTest(first=first, second=second):
                door = self.door(drain_delay=DRAIN_DELAY_DEFAULT)
                self.hung(door)
                with contextlib.closing(door.connect()) as kept:
                    self.assertTrue(door.validate(ASK, kept)["allowed"])
                    door.process.send_signal(first)
                    harness.eventually(lambda: "draining" in door.stderr(), 2, "the drain")
                    started = time.monotonic()
                    door.process.send_signal(second)
                    self.assertEqual(door.process.wait(5), 0)
                    self.assertLess(time.monotonic() - started, 1)

    def test_ctrl_c_does_not_wait_for_endpoints(self):
        door = self.door(drain_delay=DRAIN_DELAY_DEFAULT)
        with contextlib.closing(door.connect()) as kept:
            self.assertTrue(door.validate(ASK, kept)["allowed"])
            started = time.monotonic()
            door.process.send_signal(signal.SIGINT)
            self.assertEqual(door.process.wait(10), 0)
        self.assertLess(time.monotonic() - started, 5)

    def test_a_review_on_its_way_is_answered(self):
        door = self.door(drain_delay=0)
        body = json.dumps(ASK).encode()
        with contextlib.closing(door.raw()) as sock, sock.makefile("rb") as file:
            sock.sendall(b"POST /validate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:100])
            door.process.send_signal(signal.SIGTERM)
            harness.eventually(lambda: "draining" in door.stderr(), 2, "the drain")
            sock.sendall(body[100:])
            self.assertIn(b" 200 ", file.readline())
        self.assertEqual(door.process.wait(10), 0)


if __name__ == "__main__":
    unittest.main()
