"""The real Traefik on loopback: what it asks the guard, and what its clients get.

The Middlewares are those that `portcullis render middleware --format file` prints, and the routers those that it shows in its
comment; the entry points, the certificate and the way to Odoo are the test's. A dynamic configuration may be changed while
Traefik runs, as an operator does, by writing the file anew.
"""

import contextlib
import http.client
import json
import re
import signal
import ssl
import subprocess

import yaml

from . import ports, tools, wait
from .peer import Peer

READY_SECONDS_MAX = 30
CALL_SECONDS_MAX = 40  # Traefik itself gives up on the guard after 30
ADDRESS = "127.0.0.1"


def rendered(config, *options):
    """{middlewares, routers} as the program prints them for Traefik's file provider; the routers are those of its comment."""
    done = subprocess.run([str(tools.PROGRAM), "render", "middleware", "--config", str(config), "--format", "file", *map(str, options)],
                          capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"render middleware: {done.stderr}{done.stdout}")
    return yaml.safe_load(uncommented(done.stdout))["http"]


def uncommented(text):
    """What stands in comments as YAML, made YAML: the lines that an operator would uncomment begin with `#` and three spaces."""
    return re.sub(r"^# (?=  )", "", text, flags=re.M)


def way(shown, odoo):
    """A dynamic configuration: what was rendered, with the entry points and the way to Odoo that it leaves to the operator."""
    routers = {}
    for name, router in shown["routers"].items():
        routers[name] = {**router, "entryPoints": ["web"]}
        routers[name + "-tls"] = {**router, "entryPoints": ["websecure"], "tls": {}}
    services = {router["service"]: {"loadBalancer": {"servers": [{"url": odoo}]}} for router in routers.values()}
    return {"http": {"middlewares": shown["middlewares"], "routers": routers, "services": services}}


class Traefik(Peer):
    """A context. dynamic: the file provider's content, as a value. tls: (certificate, key), signed by `authority`. trusted:
    forwardedHeaders.trustedIPs. entry_point: more of the entry points' configuration. `web` and `websecure` are (host, port)."""

    def __init__(self, dynamic, tls=None, authority=None, trusted=(), entry_point=None, access_log=None):
        super().__init__("traefik")
        web, websecure, ping = ports.free(3)
        self.web, self.websecure, self.ping = (ADDRESS, web), (ADDRESS, websecure), (ADDRESS, ping)
        self.access_log, self.log = access_log or self.dir / "access.log", self.dir / "traefik.log"
        self.tls, self.authority, self.generation = tls, authority, 0
        both = {"forwardedHeaders": {"trustedIPs": list(trusted)}, **(entry_point or {})}
        static = {
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
            "log": {"level": "DEBUG", "filePath": str(self.log)},
            "accessLog": {"filePath": str(self.access_log), "format": "json"},
            "ping": {"entryPoint": "ping"},
            "entryPoints": {"ping": {"address": f"{ADDRESS}:{ping}"}, "web": {"address": f"{ADDRESS}:{web}", **both},
                            "websecure": {"address": f"{ADDRESS}:{websecure}", **both}},
            "providers": {"file": {"directory": str(self.dir / "dynamic"), "watch": True}},
        }
        (self.dir / "traefik.yaml").write_text(json.dumps(static))
        (self.dir / "dynamic").mkdir()
        self.write(dynamic)
        self.start()

    def start(self):
        try:
            with open(self.dir / "output", "ab") as output:
                self.process = subprocess.Popen([tools.tool("traefik"), "--configFile", str(self.dir / "traefik.yaml")], stdin=subprocess.DEVNULL,
                                                stdout=output, stderr=output, env={"PATH": "/usr/bin:/bin"}, preexec_fn=wait.dies_with_parent)
            wait.until(self._ready, READY_SECONDS_MAX, "Traefik's ping, and the routers of its file")
        except BaseException as wrong:
            said = self.said()
            self.close()
            raise AssertionError(f"Traefik: {wrong}\n{said}") from wrong

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"ended with {self.process.returncode}")
        try:
            return self.get("/ping", at=self.ping).status == 200 and self.in_force()
        except (OSError, http.client.HTTPException):
            return False

    def in_force(self):
        """True when both entry points judge by the file that was written last."""
        host = f"generation-{self.generation}.invalid"
        return self.get("/", host=host).status == self.get("/", host=host, tls=True, context=ssl._create_unverified_context()).status == 302

    def said(self):
        return "".join(file.read_text(errors="replace")[-4000:] for file in (self.dir / "output", self.log) if file.exists())

    def write(self, dynamic):
        """Writes the file provider's file, with two routers more that answer by themselves and tell which file is in force."""
        self.generation += 1
        content = json.loads(json.dumps(dynamic))
        parts = content.setdefault("http", {})
        parts.setdefault("middlewares", {})["e2e-mark"] = {"redirectRegex": {"regex": "^.*$", "replacement": "http://mark.invalid/"}}
        mark = {"rule": f"Host(`generation-{self.generation}.invalid`)", "middlewares": ["e2e-mark"], "service": "noop@internal"}
        parts.setdefault("routers", {}).update({"e2e-mark": {**mark, "entryPoints": ["web"]}, "e2e-mark-tls": {**mark, "entryPoints": ["websecure"], "tls": {}}})
        if self.tls:
            certificate = {"certFile": str(self.tls[0]), "keyFile": str(self.tls[1])}
            content["tls"] = {"certificates": [certificate], "stores": {"default": {"defaultCertificate": certificate}}}
        fresh = self.dir / "new"
        fresh.write_text(json.dumps(content))
        fresh.rename(self.dir / "dynamic/http.yaml")

    def change(self, dynamic):
        """Another configuration, in force when this returns."""
        self.write(dynamic)
        wait.until(self.in_force, READY_SECONDS_MAX, "Traefik reading its file anew")

    def reopen_log(self):
        """The access log opened anew, as after a rotation; done when this returns."""
        self.process.send_signal(signal.SIGUSR1)
        wait.until(self.access_log.exists, 10, "a new access log")

    # --- Clients ---

    def context(self):
        context = ssl.create_default_context(cafile=str(self.authority)) if self.authority else ssl._create_unverified_context()
        context.check_hostname = False
        return context

    def connect(self, tls=False, context=None, at=None):
        if tls:
            return http.client.HTTPSConnection(*self.websecure, timeout=CALL_SECONDS_MAX, context=context or self.context())
        return http.client.HTTPConnection(*(at or self.web), timeout=CALL_SECONDS_MAX)

    def request(self, method, path, host=None, headers=None, body=None, tls=False, context=None, at=None, connection=None):
        """One request as any client would send it. headers: a dict, or (name, value) pairs where one comes twice."""
        with contextlib.ExitStack() as stack:
            if connection is None:
                connection = stack.enter_context(contextlib.closing(self.connect(tls, context, at)))
            connection.putrequest(method, path, skip_host=host is not None, skip_accept_encoding=True)
            if host is not None:
                connection.putheader("Host", host)
            pairs = list(headers.items() if isinstance(headers, dict) else headers or [])
            if body is not None:
                pairs.append(("Content-Length", str(len(body))))
            for name, value in pairs:
                connection.putheader(name, value)
            connection.endheaders(body)
            got = connection.getresponse()
            return Answer(got.status, got.headers, got.read())

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=b"", **more):
        return self.request("POST", path, body=body, **more)

    # --- What it wrote ---

    def accesses(self, **wanted):
        """The access log so far: each finished request as Traefik tells it."""
        lines = self.access_log.read_text().split("\n")[:-1] if self.access_log.exists() else []
        found = [json.loads(line) for line in lines]
        return [each for each in found if all(each.get(key) == value for key, value in wanted.items())]


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)
