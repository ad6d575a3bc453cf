"""TLS and HTTP/2 at both doors: client certificates, versions, resumption, and certificates that change under traffic
without one failed call (threats C2, E3, E4, F).
"""

import contextlib
import json
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import unittest

import harness
from harness import review, workload

WEBHOOK_DOCUMENTS = [
    harness.platform(),
    harness.tenant("acme", [{"name": "acme-prod"}]),
    harness.policy("floor", ["acme-prod"], [{"id": "replica-floor", "with": {"min": 2}}]),
]
GUARD_DOCUMENTS = [
    harness.platform(),
    harness.tenant("acme", [{"name": "acme-prod"}], hosts=["erp.acme.example"]),
    harness.document("GuardPolicy", "default", trustedProxies={"cidrs": ["127.0.0.0/8"], "hops": 1}, unknownHost="deny"),
]
FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "erp.acme.example", "X-Forwarded-Uri": "/web/login", "X-Forwarded-Method": "GET"}
SWAPS = 50


def setUpModule():
    global directory, authority, server
    directory = tempfile.TemporaryDirectory(prefix="portcullis-integration-")
    authority = harness.Certificates(pathlib.Path(directory.name) / "ca")
    server = authority.sign("server")


def tearDownModule():
    directory.cleanup()


def webhook(*options, pair=None, **more):
    return harness.Door("webhook", WEBHOOK_DOCUMENTS, *options, certificates=(authority.ca, *(pair or server)), **more)


class Http2(unittest.TestCase):
    def curl(self, door, path, *words, data=None):
        command = ["curl", "-sS", "--http2", "--max-time", "10", "--cacert", str(authority.ca), "-w", "\n%{http_version} %{http_code}", *words]
        if data is not None:
            command += ["-H", "Content-Type: application/json", "--data-binary", "@-"]
        done = subprocess.run([*command, f"https://localhost:{door.address[1]}{path}", "--resolve", f"localhost:{door.address[1]}:127.0.0.1"],
                              input=data, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        body, _, tail = done.stdout.rpartition(b"\n")
        version, status = tail.split()
        return version.decode(), int(status), body

    def test_the_webhook(self):
        with webhook() as door:
            for replicas in (1, 2):
                sent = review(workload("Deployment", "acme-prod", replicas=replicas))
                version, status, body = self.curl(door, "/validate", data=json.dumps(sent).encode())
                self.assertEqual((version, status), ("2", 200))
                self.assertEqual(json.loads(body)["response"]["allowed"], replicas == 2)
            self.assertEqual(self.curl(door, "/readyz")[:2], ("2", 200))
            self.assertEqual(self.curl(door, "/nothing")[:2], ("2", 404))
            self.assertEqual(self.curl(door, "/validate", data=b"x" * (8 * 1024 * 1024 + 1))[:2], ("2", 413))
            self.assertEqual(self.curl(door, "/healthz")[:2], ("2", 200))
            self.assertGreaterEqual(door.metric("portcullis_net_requests_total", door="webhook", protocol="h2"), 5)

    def test_the_guard(self):
        with harness.Door("guard", GUARD_DOCUMENTS, certificates=(authority.ca, *server)) as door:
            words = [word for name, value in FORWARDED.items() for word in ("-H", f"{name}: {value}")]
            self.assertEqual(self.curl(door, "/v1/traefik/acme", *words), ("2", 200, b""))
            self.assertEqual(self.curl(door, "/v1/traefik/acme", "-X", "POST", *words), ("2", 200, b""))
            self.assertEqual(self.curl(door, "/v1/traefik/acme", *words, "-H", "X_Forwarded_Host: evil.example")[:2], ("2", 400))

    def test_many_streams_on_one_connection(self):
        with webhook() as door, tempfile.NamedTemporaryFile() as body:
            body.write(json.dumps(review(workload("Deployment", "acme-prod"))).encode())
            body.flush()
            done = subprocess.run(["h2load", "-n", "2000", "-c", "2", "-m", "50", "-d", body.name, "-H", "Content-Type: application/json",
                                   f"https://127.0.0.1:{door.address[1]}/validate"], capture_output=True, text=True, timeout=60)
            self.assertRegex(done.stdout, r"2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout", done.stdout + done.stderr)
            self.assertRegex(done.stdout, r"status codes: 2000 2xx")


class ClientCertificates(unittest.TestCase):
    def status(self, door, pair=None, trust=None):
        """200, or None when there was no conversation."""
        context = door.context()
        if pair:
            context.load_cert_chain(*pair)
        try:
            with contextlib.closing(door.connect(context)) as connection:
                return harness.call(connection, "GET", "/healthz").status
        except (ssl.SSLError, ConnectionError, OSError):
            return None

    def test_require_and_optional(self):
        own = authority.sign("apiserver", "clientAuth")
        foreign = harness.Certificates(pathlib.Path(directory.name) / "foreign", "somebody else").sign("apiserver", "clientAuth")
        serving = authority.sign("elsewhere", "serverAuth")
        for mode, without in (("require", None), ("optional", 200)):
            with self.subTest(mode), webhook("--client-ca", authority.ca, "--client-auth", mode) as door:
                self.assertEqual(self.status(door, own), 200)
                self.assertEqual(self.status(door), without)
                self.assertIsNone(self.status(door, foreign), "signed by somebody else")
                self.assertIsNone(self.status(door, serving), "not for clients")
                self.assertEqual(door.metrics_get("/healthz").status, 200)  # where probes go then


class Versions(unittest.TestCase):
    def test_1_1_is_refused_and_1_2_and_1_3_are_taken(self):
        with webhook() as door:
            for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
                context = door.context(minimum_version=version, maximum_version=version)
                with contextlib.closing(door.raw(context)) as sock:
                    self.assertEqual(sock.version(), name)
                    self.assertRegex(sock.cipher()[0], "GCM|CHACHA20")
            done = subprocess.run(["openssl", "s_client", "-connect", "%s:%d" % door.address, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("protocol version", done.stdout + done.stderr)
            done = subprocess.run(["openssl", "s_client", "-connect", "%s:%d" % door.address, "-tls1_2", "-cipher", "AES128-SHA:ECDHE-ECDSA-AES128-SHA"],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0, "a cipher without AEAD")

    def test_alpn(self):
        with webhook() as door:
            for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), ([], None)):
                context = door.context()
                if offered:
                    context.set_alpn_protocols(offered)
                with contextlib.closing(door.raw(context)) as sock:
                    self.assertEqual(sock.selected_alpn_protocol(), chosen)

    def test_sessions_are_resumed_until_the_certificate_changes(self):
        pair = [pathlib.Path(directory.name) / "resumed.pem", pathlib.Path(directory.name) / "resumed.key"]
        for source, target in zip(server, pair):
            shutil.copy(source, target)
        with webhook(pair=pair) as door:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = door.context(maximum_version=version)

                def healthy(**more):
                    with contextlib.closing(door.raw(context, **more)) as sock:
                        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                        self.assertIn(b" 200 ", sock.recv(4096))
                        return sock.session, sock.session_reused
                session, reused = healthy()
                self.assertFalse(reused)
                session, reused = healthy(session=session)
                self.assertTrue(reused)
            self.assertGreaterEqual(door.metric("portcullis_net_handshakes_resumed_total", door="webhook"), 2)
            before = door.metric("portcullis_net_certificate_reloads_total", door="webhook", result="loaded")
            replace(authority.sign("resumed-2"), pair)
            harness.eventually(lambda: door.metric("portcullis_net_certificate_reloads_total", door="webhook", result="loaded") > before, what="the reload")
            self.assertFalse(healthy(session=session)[1])


def replace(pair, where):
    """Each file by rename, the key first: between the two the pair does not match."""
    for source, target in reversed(list(zip(pair, where))):
        fresh = target.with_suffix(".fresh")
        shutil.copy(source, fresh)
        fresh.rename(target)


class Rotation(unittest.TestCase):
    def loaded(self, door):
        return door.metric("portcullis_net_certificate_reloads_total", door="webhook", result="loaded")

    def serial(self, door):
        with contextlib.closing(door.raw()) as sock:
            return sock.getpeercert()["serialNumber"]

    def serial_of(self, pair):
        return ssl._ssl._test_decode_cert(str(pair[0]))["serialNumber"]

    def rotate(self, door, swap):
        pairs = [authority.sign(f"rotated-{n}") for n in range(3)]
        with harness.Traffic(door) as traffic:
            harness.eventually(lambda: traffic.calls > 50, what="traffic")
            for n in range(SWAPS):
                swap(pairs[n % 3])
                if n % 10 == 9:  # let what was swapped be taken, then go on under the next one's feet
                    harness.eventually(lambda: self.serial(door) == self.serial_of(pairs[n % 3]), what="the new certificate")
                calls = traffic.calls
                harness.eventually(lambda: traffic.calls > calls, what="traffic")
        self.assertEqual(traffic.failures, [])
        self.assertGreater(traffic.calls, 200)
        self.assertGreaterEqual(self.loaded(door), 5)

    def test_renames_under_traffic(self):
        where = [pathlib.Path(directory.name) / "renamed.pem", pathlib.Path(directory.name) / "renamed.key"]
        replace(server, where)
        with webhook(pair=where) as door:
            self.rotate(door, lambda pair: replace(pair, where))

    def test_a_mounted_secret_under_traffic(self):
        def files(pair):
            return {"tls.crt": pair[0], "tls.key": pair[1]}
        mount = harness.Mount(pathlib.Path(directory.name) / "mounted", files(server))
        with webhook(pair=(mount.path / "tls.crt", mount.path / "tls.key")) as door:
            self.rotate(door, lambda pair: mount.swap(files(pair)))

    def test_a_bad_pair_is_refused_and_the_old_one_stays(self):
        """threats E3."""
        where = [pathlib.Path(directory.name) / "kept.pem", pathlib.Path(directory.name) / "kept.key"]
        replace(server, where)
        other = authority.sign("other")
        expired = authority.sign("expired", days=-1)
        empty = [pathlib.Path(directory.name) / "empty.pem", pathlib.Path(directory.name) / "empty.key"]
        for each in empty:
            each.write_bytes(b"")
        half = [pathlib.Path(directory.name) / "half.pem", other[1]]
        half[0].write_bytes(other[0].read_bytes()[:200])
        with webhook(pair=where) as door:
            for name, pair in {"mismatch": (other[0], server[1]), "expired": expired, "empty": empty, "half written": half}.items():
                with self.subTest(name):
                    before = door.metric("portcullis_net_certificate_reloads_total", door="webhook", result="refused")
                    replace(pair, where)
                    harness.eventually(lambda: door.metric("portcullis_net_certificate_reloads_total", door="webhook", result="refused") > before,
                                       what="the refusal")
                    self.assertEqual(self.serial(door), self.serial_of(server))
                    self.assertTrue(door.validate(review(workload("Deployment", "acme-prod")))["allowed"])
            self.assertIn("certificate_refused", door.stderr())
            replace(other, where)
            harness.eventually(lambda: self.serial(door) == self.serial_of(other), what="the good pair")


if __name__ == "__main__":
    unittest.main()
