"""`portcullis guard` as a process of its own on loopback, in plain HTTP or over TLS, and several as replicas behind one address.

`ServiceAddress` stands in for the virtual address of a Kubernetes Service: each new connection goes to one endpoint, by chance
as kube-proxy does it, dead or alive; an endpoint whose /readyz does not say yes is taken off with the next probe; a connection
to no endpoint is refused. Connections that are open stay where they are.
"""

import asyncio
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import subprocess
import threading

from . import ports, tools, wait
from .peer import Peer, resident_bytes

READY_SECONDS_MAX = 30
PROBE_SECONDS = 0.25     # how soon an endpoint that is not ready is taken off; manifests/base/guard.yaml asks each two seconds
ADDRESS = "127.0.0.1"


def document(kind, name, **spec):
    return {"apiVersion": "portcullis.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def platform():
    return document("Platform", "hoster", environments=["sandbox", "staging", "production"])


def tenant(name, guard=None, hosts=None, **more):
    """A tenant of one namespace; its host is erp.<name>.example unless `hosts` say otherwise."""
    return document("Tenant", name, tier=2, timeZone="Europe/Zurich", namespaces=[{"name": f"{name}-prod", "environment": "production", "tenancy": "multi-tenant"}],
                    hosts=hosts or [f"erp.{name}.example"], guard=guard or {"plan": "wide"}, **more)


def policy(**more):
    """A GuardPolicy with a plan that nobody exhausts, and limits of the classes as they are shipped."""
    spec = {"trustedProxies": {"cidrs": ["127.0.0.0/8"], "hops": 1}, "unknownHost": "deny",
            "plans": {"wide": {"factor": 1, "tenant": {"rate": "100000/s", "burst": 100000}}}, **more}
    return document("GuardPolicy", "default", **spec)


def write_documents(directory, documents):
    directory = pathlib.Path(directory)
    directory.mkdir(exist_ok=True)
    fresh = directory / ".documents.new"
    fresh.write_text("\n---\n".join(json.dumps(each, indent=1) for each in documents) + "\n")
    fresh.rename(directory / "documents.yaml")
    return directory


class Guard(Peer):
    """One guard. A context. config: a directory of documents. tls: (certificate, key). drain_delay: in seconds."""

    def __init__(self, config, tls=None, options=(), drain_delay=0, program=None):
        super().__init__("guard")
        self.config, self.tls, self.options, self.port, self.program = config, tls, list(options), 0, program or tools.PROGRAM
        self.drain_delay = drain_delay
        self.audit_log, self.stderr_file = self.dir / "audit.jsonl", self.dir / "stderr.log"
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self):
        """Starts it, or starts it again on the port that it had."""
        command = [str(self.program), "guard", "--config", str(self.config), "--listen", f"{ADDRESS}:{self.port}", "--metrics-listen", f"{ADDRESS}:0", "--threads", "2",
                   "--drain-delay", str(self.drain_delay), "--audit-log", str(self.audit_log)]
        if self.tls:
            command += ["--tls-cert", str(self.tls[0]), "--tls-key", str(self.tls[1])]
        before = len(self.said())
        with open(self.stderr_file, "ab") as stderr:
            self.process = subprocess.Popen([*command, *map(str, self.options)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
                                            preexec_fn=wait.dies_with_parent, env=os.environ)
        found = wait.until(lambda: self._ready(before), READY_SECONDS_MAX, "the guard's readiness", poll=0.01)
        self.address, self.metrics_address = found
        self.port = self.address[1]

    def _ready(self, before):
        if self.process.poll() is not None:
            raise AssertionError(f"the guard ended with {self.process.returncode}: {self.said()[before:]}")
        lines = {door: (host, int(port)) for door, host, port in re.findall(r"^ready (\w+) https?://([0-9.]+):(\d+)$", self.said()[before:], re.M)}
        return (lines["guard"], lines["metrics"]) if {"guard", "metrics"} <= lines.keys() else None

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{'localhost' if self.tls else ADDRESS}:{self.port}"

    def terminate(self):
        """SIGTERM; returns when it has ended."""
        self.process.terminate()
        self.process.wait(30)

    def said(self):
        return self.stderr_file.read_text(errors="replace") if self.stderr_file.exists() else ""

    def get(self, path):
        """(status, text) of the metrics listener."""
        with contextlib.closing(http.client.HTTPConnection(*self.metrics_address, timeout=10)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def ready(self):
        try:
            return self.get("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def metric(self, name, **labels):
        """The sum of all series of `name` that carry these labels."""
        total = 0.0
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(name) and line[len(name)] in "{ " and all(f'{key}="{value}"' in line for key, value in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def decisions(self, **wanted):
        """The decision log's records of requests, once all that were judged so far are written."""
        judged = self.metric("portcullis_guard_request_duration_seconds_count")

        def written():
            lines = self.audit_log.read_text().split("\n")[:-1]
            found = [each for each in map(json.loads, lines) if each.get("kind") == "guard"]
            return found if len(found) >= judged else None
        records = wait.until(written, 10, "the decision log") if judged else []
        return [each for each in records if all(each.get(key) == value for key, value in wanted.items())]

    def rss(self):
        return resident_bytes(self.process)


class ServiceAddress:
    """A context: `url` of one address before several guards."""

    def __init__(self, guards, seed=1):
        self.guards, self.random = list(guards), random.Random(seed)
        self.endpoints, self.port = list(self.guards), ports.free()[0]
        self.loop, self.started, self.stopping = asyncio.new_event_loop(), threading.Event(), None
        self.thread = threading.Thread(target=self._run, name="service-address", daemon=True)
        self.thread.start()
        if not self.started.wait(10):
            raise AssertionError("the Service's address does not listen")

    @property
    def url(self):
        return f"{'https' if self.guards[0].tls else 'http'}://{'localhost' if self.guards[0].tls else ADDRESS}:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.thread.join(10)

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._serve())
        self.loop.close()

    async def _serve(self):
        self.stopping = asyncio.Event()
        server = await asyncio.start_server(self._connection, ADDRESS, self.port, backlog=512)
        probes = asyncio.create_task(self._probe())
        self.started.set()
        await self.stopping.wait()
        probes.cancel()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)

    async def _probe(self):
        while True:
            self.endpoints = [guard for guard in self.guards if await asyncio.to_thread(guard.ready)]
            await asyncio.sleep(PROBE_SECONDS)

    async def _connection(self, reader, writer):
        streams = [writer]
        try:
            if not self.endpoints:
                return
            onward, back = await asyncio.open_connection(ADDRESS, self.random.choice(self.endpoints).port)
            streams.append(back)
            await asyncio.wait([asyncio.create_task(self._copy(reader, back)), asyncio.create_task(self._copy(onward, writer))],
                               return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass  # an endpoint that is gone: the client sees its connection end
        finally:
            for each in streams:
                each.transport.abort()

    @staticmethod
    async def _copy(reader, writer):
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
