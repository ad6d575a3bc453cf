"""HTTP/1.1 as hostile and as honest clients write it, byte by byte over TLS: what two parsers could read differently is
refused and ends the connection, and no byte behind it is ever answered as the next request (threats B48 to B51, F).
"""

import contextlib
import json
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
MIB = 1024 * 1024
SMUGGLED = b"GET /healthz?smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


def setUpModule():
    global directory, door
    directory = tempfile.TemporaryDirectory(prefix="portcullis-integration-")
    certificates = harness.Certificates(directory.name)
    door = harness.Door("webhook", DOCUMENTS, certificates=(certificates.ca, *certificates.sign("server")))


def tearDownModule():
    door.stop()
    directory.cleanup()


def read_all(sock):
    """Everything until the peer closes; a reset ends it too."""
    got = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while chunk := sock.recv(65536):
            got += chunk
    return got


def read_answer(file):
    """(status, headers, body) of one answer with a length."""
    status = int(file.readline().split()[1])
    headers = {}
    while (line := file.readline().strip()):
        name, _, value = line.partition(b":")
        headers[name.lower().decode()] = value.strip().decode()
    return status, headers, file.read(int(headers.get("content-length", 0)))


def good_body():
    return json.dumps(review(workload("Deployment", "acme-prod", replicas=1))).encode()


def post(*headers, body=b"", path=b"/validate", version=b"HTTP/1.1"):
    return b"POST " + path + b" " + version + b"\r\n" + b"".join(h + b"\r\n" for h in headers) + b"\r\n" + body


HOST, TYPE = b"Host: localhost", b"Content-Type: application/json"


class Refused(unittest.TestCase):
    def refused(self, sent, *statuses):
        """One refusal, closed, and what is behind it never answered."""
        with contextlib.closing(door.raw()) as sock:
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                sock.sendall(sent + SMUGGLED)
            started = time.monotonic()
            got = read_all(sock)
        self.assertLess(time.monotonic() - started, 8, "should be closed at once")
        self.assertEqual(got.count(b"HTTP/1.1 "), 1, got)
        self.assertIn(int(got.split(b" ", 2)[1]), statuses or (400,), got)
        self.assertIn(b"connection: close", got.lower())

    def test_two_readings_of_a_length(self):
        body = b"5\r\nhello\r\n0\r\n\r\n"
        for name, sent in {
            "CL.TE": post(HOST, TYPE, b"Content-Length: 4", b"Transfer-Encoding: chunked", body=body),
            "TE.CL": post(HOST, TYPE, b"Transfer-Encoding: chunked", b"Content-Length: 4", body=body),
            "two lengths": post(HOST, TYPE, b"Content-Length: 5", b"Content-Length: 6", body=b"hello!"),
            "two equal lengths": post(HOST, TYPE, b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
            "list of lengths": post(HOST, TYPE, b"Content-Length: 5, 5", body=b"hello"),
            "signed": post(HOST, TYPE, b"Content-Length: +5", body=b"hello"),
            "negative": post(HOST, TYPE, b"Content-Length: -5", body=b"hello"),
            "hex": post(HOST, TYPE, b"Content-Length: 0x5", body=b"hello"),
            "empty length": post(HOST, TYPE, b"Content-Length: ", body=b"hello"),
            "blank within": post(HOST, TYPE, b"Content-Length: 1 0", body=b"hello"),
            "beyond 64 bits": post(HOST, TYPE, b"Content-Length: 18446744073709551621", body=b"hello"),
        }.items():
            with self.subTest(name):
                self.refused(sent, 400, 413)

    def test_transfer_codings(self):
        body = b"5\r\nhello\r\n0\r\n\r\n"
        for value in (b"xchunked", b"identity", b"chunked, identity", b"gzip, chunked", b"chunked, chunked", b"", b"\x0bchunked"):
            with self.subTest(value):
                self.refused(post(HOST, TYPE, b"Transfer-Encoding: " + value, body=body), 400, 501)
        for name, lines in {
            "twice": (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
            "blank before the colon": (b"Transfer-Encoding : chunked",),
            "tab before the colon": (b"Transfer-Encoding\t: chunked",),
        }.items():
            with self.subTest(name):
                self.refused(post(HOST, TYPE, *lines, body=body), 400, 501)
        self.refused(post(HOST, TYPE, b"Transfer-Encoding: chunked", body=body, version=b"HTTP/1.0"))

    def test_chunks(self):
        for name, body in {
            "bare LF after the size": b"5\nhello\r\n0\r\n\r\n", "bare LF in an extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
            "signed size": b"+5\r\nhello\r\n0\r\n\r\n", "0x size": b"0x5\r\nhello\r\n0\r\n\r\n", "no size": b"\r\nhello\r\n0\r\n\r\n",
            "size beyond 64 bits": b"ffffffffffffffff5\r\nhello\r\n0\r\n\r\n", "no CRLF after the data": b"5\r\nhelloX0\r\n\r\n",
            "endless extension": b"5;" + b"x" * 5000 + b"\r\nhello\r\n0\r\n\r\n",
        }.items():
            with self.subTest(name):
                self.refused(post(HOST, TYPE, b"Transfer-Encoding: chunked", body=body), 400, 413)

    def test_lines_and_hosts(self):
        length = b"Content-Length: 0"
        for name, sent in {
            "bare LF": b"POST /validate HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n",
            "bare LF in the header": b"POST /validate HTTP/1.1\r\nHost: localhost\nContent-Length: 0\r\n\r\n",
            "bare CR": b"POST /validate HTTP/1.1\r\nHost: localhost\rX: y\r\nContent-Length: 0\r\n\r\n",
            "folded line": post(HOST, b"X-Long: a\r\n b", length), "folded first": b"POST /validate HTTP/1.1\r\n X: y\r\nHost: localhost\r\n\r\n",
            "NUL": post(HOST, b"X-Nul: a\0b", length), "no colon": post(HOST, b"nonsense", length), "empty name": post(HOST, b": x", length),
            "two Hosts": post(HOST, HOST, length), "two other Hosts": post(HOST, b"Host: evil.example", length), "no Host": post(length),
            "non-ASCII target": post(HOST, length, path="/validaté".encode()), "blank in the target": post(HOST, length, path=b"/vali date"),
            "no version": b"POST /validate\r\nHost: localhost\r\n\r\n", "absolute target": post(HOST, length, path=b"http://localhost/validate"),
            "odd method": b"P(ST /validate HTTP/1.1\r\nHost: localhost\r\n\r\n",
        }.items():
            with self.subTest(name):
                self.refused(sent, 400, 505)  # 505 where what stands in the version's place is none
        for version in (b"HTTP/2.0", b"HTTP/1.2", b"HTTP/0.9"):
            with self.subTest(version):
                self.refused(post(HOST, length, version=version), 400, 505)

    def test_too_much(self):
        """threats B50: caps of our own, each with its status."""
        length = b"Content-Length: 0"
        self.refused(post(HOST, length, path=b"/" + b"a" * 17000), 414)
        self.refused(post(HOST, length, b"X-Big: " + b"a" * 70000), 431)
        self.refused(post(HOST, length, *(b"X-%d: y" % n for n in range(150))), 431)
        self.refused(post(HOST, TYPE, b"Content-Length: %d" % (8 * MIB + 1)), 413)
        self.refused(post(HOST, TYPE, b"Transfer-Encoding: chunked", body=b"%x\r\n" % (8 * MIB + 1)), 413)

    def test_connect_and_upgrades(self):
        """threats B51."""
        self.refused(b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, 405, 501)
        with contextlib.closing(door.raw()) as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n"
                         b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
            self.assertNotIn(b" 101 ", read_all(sock))

    def test_it_is_counted(self):
        before = door.metric("portcullis_net_requests_malformed_total", door="webhook")
        self.refused(post(HOST, HOST, b"Content-Length: 0"))
        harness.eventually(lambda: door.metric("portcullis_net_requests_malformed_total", door="webhook") == before + 1, what="the count")

    def test_bytes_that_are_no_tls(self):
        before = door.metric("portcullis_net_handshakes_failed_total", door="webhook")
        with contextlib.closing(socket.create_connection(door.address, timeout=10)) as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertNotIn(b"HTTP/1.1 200", read_all(sock))
        harness.eventually(lambda: door.metric("portcullis_net_handshakes_failed_total", door="webhook") > before, what="the count")


class Taken(unittest.TestCase):
    def ask(self, sent):
        with contextlib.closing(door.raw()) as sock, sock.makefile("rb") as file:
            sock.sendall(sent)
            return read_answer(file)

    def test_bodies_with_a_length_and_in_chunks(self):
        body = good_body()
        status, _, got = self.ask(post(HOST, TYPE, b"Content-Length: %d" % len(body), body=body))
        self.assertEqual((status, json.loads(got)["response"]["allowed"]), (200, False))
        chunks = b"".join(b"%x;extension=1\r\n%s\r\n" % (len(body[n:n + 100]), body[n:n + 100]) for n in range(0, len(body), 100))
        status, _, got = self.ask(post(HOST, TYPE, b"Transfer-Encoding: chunked", body=chunks + b"0\r\nX-Trailer: ignored\r\n\r\n"))
        self.assertEqual((status, json.loads(got)["response"]["allowed"]), (200, False))

    def test_a_byte_a_record(self):
        """threats B52: tiny records are slow, not wrong."""
        sent = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with contextlib.closing(door.raw()) as sock, sock.makefile("rb") as file:
            for at in range(len(sent)):
                sock.sendall(sent[at:at + 1])
            self.assertEqual(read_answer(file)[0], 200)

    def test_the_largest_body_and_one_byte_more(self):
        body = good_body()
        largest = body + b" " * (8 * MIB - len(body))
        self.assertFalse(door.validate(largest)["allowed"])
        with contextlib.closing(door.raw(timeout=30)) as sock:
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                sock.sendall(post(HOST, TYPE, b"Content-Length: %d" % (len(largest) + 1), body=largest + b" "))
            got = read_all(sock)
        self.assertTrue(got.startswith(b"HTTP/1.1 413 "), got[:100])

    def test_expect_100_continue(self):
        body = good_body()
        with contextlib.closing(door.raw()) as sock, sock.makefile("rb") as file:
            sock.sendall(post(HOST, TYPE, b"Content-Length: %d" % len(body), b"Expect: 100-continue"))
            self.assertEqual(file.readline(), b"HTTP/1.1 100 Continue\r\n")
            self.assertEqual(file.readline(), b"\r\n")
            sock.sendall(body)
            self.assertEqual(read_answer(file)[0], 200)

    def test_http_1_0(self):
        with contextlib.closing(door.raw()) as sock:
            sock.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")  # a Host was no duty then
            got = read_all(sock)
        self.assertIn(b" 200 ", got.split(b"\r\n")[0])

    def test_pipelined_requests_are_answered_in_order(self):
        bodies = [review(workload("Deployment", "acme-prod", replicas=1 + n % 2)) for n in range(20)]
        sent = b"".join(post(HOST, TYPE, b"Content-Length: %d" % len(json.dumps(each)), body=json.dumps(each).encode()) for each in bodies)
        with contextlib.closing(door.raw()) as sock, sock.makefile("rb") as file:
            sock.sendall(sent)
            for n, each in enumerate(bodies):
                status, _, got = read_answer(file)
                response = json.loads(got)["response"]
                self.assertEqual((status, response["uid"], response["allowed"]), (200, each["request"]["uid"], n % 2 == 1))

    def test_a_thousand_requests_on_one_connection(self):
        sent = review(workload("Deployment", "acme-prod", replicas=1))
        with contextlib.closing(door.connect()) as connection:
            connection.connect()
            port = connection.sock.getsockname()
            for n in range(1000):
                sent["request"]["uid"] = f"kept-{n}"
                response = door.validate(sent, connection)
                self.assertEqual((response["uid"], response["allowed"]), (f"kept-{n}", False))
                self.assertEqual(connection.sock.getsockname(), port)

    def test_head(self):
        with contextlib.closing(door.raw()) as sock:
            sock.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            head, _, body = read_all(sock).partition(b"\r\n\r\n")
        self.assertIn(b" 200 ", head)
        self.assertEqual(body, b"")


class Slow(unittest.TestCase):
    """threats B49: deadlines are total, so dripping does not extend them. All peers drip side by side."""

    def test_peers_that_drip_are_cut_and_others_are_not(self):
        body = good_body()
        peers = {
            "header": (door.raw(timeout=0.2), b"GET /healthz HTTP/1.1\r\n", b"X"),
            "body": (door.raw(timeout=0.2), post(HOST, TYPE, b"Content-Length: 100000", body=body[:10]), b" "),
        }
        stalled = socket.create_connection(door.address, timeout=0.2)  # never says hello
        started = time.monotonic()
        for sock, sent, _ in peers.values():
            sock.sendall(sent)
        ended, answers = {}, {name: b"" for name in peers}
        while len(ended) < 3 and time.monotonic() - started < 16:
            self.assertEqual(door.get("/healthz").status, 200)
            for name, (sock, _, drip) in peers.items():
                if name in ended:
                    continue
                try:
                    sock.sendall(drip)
                    chunk = sock.recv(4096)
                    answers[name] += chunk
                    if not chunk:
                        ended[name] = time.monotonic() - started
                except TimeoutError:
                    pass
                except OSError:
                    ended[name] = time.monotonic() - started
            if "handshake" not in ended:
                try:
                    if not stalled.recv(4096):
                        ended["handshake"] = time.monotonic() - started
                except TimeoutError:
                    pass
                except OSError:
                    ended["handshake"] = time.monotonic() - started
        for sock, _, _ in peers.values():
            sock.close()
        stalled.close()
        self.assertEqual(set(ended), {"header", "body", "handshake"})
        for name, seconds in ended.items():
            self.assertTrue(9 <= seconds <= 14, f"{name} ended after {seconds:.1f} s")
        for name, got in answers.items():
            self.assertIn(b" 408 ", got[:20], name)


if __name__ == "__main__":
    unittest.main()
