"""What all integration tests share: the real program as a process, throw-away certificates, reviews, and waiting.

The program is PORTCULLIS_PROGRAM, or build/portcullis. A door is started with documents of the test on a free port of
loopback and is ready when it says so; what it wrote (log, decision log) stays readable until it is stopped. Nothing here
sleeps for luck: `eventually` polls a condition until a deadline.
"""

import contextlib
import copy
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("PORTCULLIS_PROGRAM", str(ROOT / "build" / "portcullis"))
READY_SECONDS_MAX = 30
CALL_SECONDS_MAX = 15
DIGEST = "@sha256:" + "5" * 64
IMAGE = "registry.hoster.example/odoo/server" + DIGEST


def eventually(condition, seconds=10, what="the condition"):
    """What `condition` returns once that is true; an assertion fails when it never is."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds} s")
        time.sleep(0.02)


# --- Certificates ---


class Certificates:
    """A CA in a directory of its own, and what it signs."""

    def __init__(self, directory, name="integration CA"):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.ca = self.dir / "ca.pem"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                      "-addext", "keyUsage=critical,keyCertSign", "-keyout", "ca.key", "-out", "ca.pem")

    def _openssl(self, *words, text=None):
        subprocess.run(["openssl", *words], cwd=self.dir, check=True, input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def sign(self, name, usage="serverAuth", days=2):
        """(certificate, key) as files."""
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                      "-out", f"{name}.csr")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", str(days), "-set_serial",
                      str(uuid.uuid4().int >> 70), "-out", f"{name}.pem", "-extfile", "/dev/stdin",
                      text=f"basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage={usage}\n"
                           "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        return self.dir / f"{name}.pem", self.dir / f"{name}.key"


# --- Documents: YAML reads JSON, so tests write them as Python values ---


def document(kind, name, **spec):
    return {"apiVersion": "portcullis.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def yaml_of(documents):
    return "\n---\n".join(json.dumps(each, indent=1) for each in documents) + "\n"


def platform(**more):
    return document("Platform", "hoster", environments=["sandbox", "staging", "production"], **more)


def tenant(name, namespaces, **more):
    return document("Tenant", name, tier=more.pop("tier", 2), timeZone="Europe/Zurich",
                    namespaces=[{"environment": "production", "tenancy": "multi-tenant", **each} for each in namespaces], **more)


def policy(name, namespaces, rules, **more):
    return document("Policy", name, match={"namespaces": namespaces}, rules=rules, **more)


# --- The program ---


class Door:
    """`portcullis webhook` or `guard` as a process. A context: leaving it ends the process and removes its files."""

    def __init__(self, name, documents, *options, certificates=None, env=None, before=(), config=None, audit_to_stdout=False,
                 stdout=subprocess.DEVNULL, threads=2, drain_delay=0, preexec=None):
        self.name = name
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-integration-"))
        self.config = pathlib.Path(config) if config else self.dir / "documents"
        if documents is not None:
            self.config.mkdir(exist_ok=True)
            self.write_documents(documents)
        self.audit_log = self.dir / "audit.jsonl"
        self.stderr_file = self.dir / "stderr.log"
        command = [*before, PROGRAM, name, "--config", str(self.config), "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
                   "--threads", str(threads), "--drain-delay", str(drain_delay)]
        if not audit_to_stdout:
            command += ["--audit-log", str(self.audit_log)]
        self.trust = None
        if certificates:
            authority, certificate, key = certificates
            command += ["--tls-cert", str(certificate), "--tls-key", str(key)]
            self.trust = authority
        command += [str(option) for option in options]
        self.process = None
        try:
            with open(self.stderr_file, "wb") as stderr:
                self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, preexec_fn=preexec,
                                                env={**os.environ, **(env or {})})
            eventually(lambda: self._ready("metrics") or self.process.poll() is not None, READY_SECONDS_MAX, "readiness")
            if self.process.poll() is not None:
                raise AssertionError(f"{name} ended with {self.process.returncode}: {self.stderr()}")
            self.address, self.metrics_address = self._ready(name), self._ready("metrics")
        except BaseException:
            self.stop()
            raise

    def _ready(self, door):
        found = re.search(rf"^ready {door} https?://([0-9.]+):(\d+)$", self.stderr(), re.M)
        return (found.group(1), int(found.group(2))) if found else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def end(self):
        """Ends the process, however busy it is, and returns its exit code. What it wrote stays readable."""
        while self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)  # the second one cuts the drain short
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.2)
        return self.process.returncode

    def stop(self):
        """The end, and its files go too."""
        if self.process:
            self.end()
        shutil.rmtree(self.dir, ignore_errors=True)

    def write_documents(self, documents, name="documents.yaml"):
        """As editors and kubectl do: a whole new file under the old name."""
        fresh = self.config / f".{name}.new"
        fresh.write_text(documents if isinstance(documents, str) else yaml_of(documents))
        fresh.rename(self.config / name)

    def stderr(self):
        return self.stderr_file.read_text(errors="replace")

    def records(self, kind=None):
        """The decision log so far; a last line that is still being written is not there yet."""
        text = self.audit_log.read_text()
        lines = text.split("\n")[:-1]
        found = [json.loads(line) for line in lines]
        return [each for each in found if kind in (None, each["kind"])]

    def context(self, **more):
        context = ssl.create_default_context(cafile=str(self.trust))
        for key, value in more.items():
            setattr(context, key, value)
        return context

    def connect(self, context=None, timeout=CALL_SECONDS_MAX):
        """A kept http.client connection."""
        if self.trust is None:
            return http.client.HTTPConnection(*self.address, timeout=timeout)
        return http.client.HTTPSConnection(*self.address, timeout=timeout, context=context or self.context())

    def raw(self, context=None, timeout=CALL_SECONDS_MAX, **more):
        """A socket for bytes that no client library would write."""
        plain = socket.create_connection(self.address, timeout=timeout)
        if self.trust is None:
            return plain
        return (context or self.context()).wrap_socket(plain, server_hostname="localhost", **more)

    def get(self, path, headers=None, method="GET", body=None):
        with contextlib.closing(self.connect()) as connection:
            return call(connection, method, path, body, headers)

    def metrics_get(self, path):
        with contextlib.closing(http.client.HTTPConnection(*self.metrics_address, timeout=CALL_SECONDS_MAX)) as connection:
            return call(connection, "GET", path)

    def metrics(self):
        """{'name{labels}': value} of one scrape."""
        found = {}
        for line in self.metrics_get("/metrics").text.splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name] = float(value)
        return found

    def metric(self, name, **labels):
        """The sum of all series of `name` that carry these labels."""
        total = 0.0
        for series, value in self.metrics().items():
            if series.split("{")[0] == name and all(f'{key}="{wanted}"' in series for key, wanted in labels.items()):
                total += value
        return total

    def hash(self):
        return re.search(r"^documents (\S+)$", self.metrics_get("/readyz").text, re.M).group(1)

    # The webhook's two questions.

    def ask(self, path, body, connection=None, headers=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **(headers or {})}
        if connection is not None:
            return call(connection, "POST", path, data, headers)
        with contextlib.closing(self.connect()) as fresh:
            return call(fresh, "POST", path, data, headers)

    def validate(self, body, connection=None):
        return self.ask("/validate?timeout=10s", body, connection).response()

    def mutate(self, body, connection=None):
        return self.ask("/mutate?timeout=10s", body, connection).response()


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)

    def response(self):
        """The AdmissionResponse in it."""
        if self.status != 200:
            raise AssertionError(f"HTTP {self.status}: {self.body[:300]!r}")
        return self.json()["response"]


def call(connection, method, path, body=None, headers=None):
    connection.request(method, path, body=body, headers=headers or {})
    got = connection.getresponse()
    return Answer(got.status, got.headers, got.read())


# --- Reviews ---

KINDS = {  # kind: (group, version, resource)
    "Pod": ("", "v1", "pods"), "ConfigMap": ("", "v1", "configmaps"), "ReplicationController": ("", "v1", "replicationcontrollers"),
    "PodTemplate": ("", "v1", "podtemplates"), "Namespace": ("", "v1", "namespaces"), "Service": ("", "v1", "services"),
    "Deployment": ("apps", "v1", "deployments"), "StatefulSet": ("apps", "v1", "statefulsets"), "DaemonSet": ("apps", "v1", "daemonsets"),
    "ReplicaSet": ("apps", "v1", "replicasets"), "Job": ("batch", "v1", "jobs"), "CronJob": ("batch", "v1", "cronjobs"),
    "Scale": ("autoscaling", "v1", "deployments"), "PodExecOptions": ("", "v1", "pods"), "Rollout": ("argoproj.io", "v1alpha1", "rollouts"),
    "Ingress": ("networking.k8s.io", "v1", "ingresses"),
}
PERSON = {"username": "it@acme.example", "groups": ["acme-admins", "system:authenticated"]}


def api_version(kind):
    group, version, _ = KINDS[kind]
    return f"{group}/{version}" if group else version


def review(thing, operation="CREATE", old=None, kind=None, namespace=None, name=None, subresource=None, user=None, dry_run=False, uid=None):
    """An AdmissionReview as the API server writes it: nulls explicit, dryRun always there."""
    judged = thing if thing is not None else old
    kind = kind or judged["kind"]
    group, version, resource = KINDS[kind]
    metadata = judged.get("metadata") or {}
    request = {
        "uid": uid or str(uuid.uuid4()),
        "kind": {"group": group, "version": version, "kind": kind},
        "resource": {"group": "apps" if kind == "Scale" else group, "version": version, "resource": resource},
        "requestKind": {"group": group, "version": version, "kind": kind},
        "requestResource": {"group": group, "version": version, "resource": resource},
        "name": name if name is not None else metadata.get("name", ""),
        "namespace": namespace if namespace is not None else metadata.get("namespace", ""),
        "operation": operation,
        "userInfo": user or PERSON,
        "object": thing, "oldObject": old, "dryRun": dry_run,
        "options": None if operation == "CONNECT" else {"kind": f"{operation.capitalize()}Options", "apiVersion": "meta.k8s.io/v1"},
    }
    if subresource:
        request["subResource"] = request["requestSubResource"] = subresource
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}


RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}


def container(**more):
    return {"name": "odoo", "image": IMAGE, "resources": copy.deepcopy(RESOURCES), **more}


def pod_spec(*containers, **more):
    return {"containers": list(containers) or [container()], **more}


def workload(kind, namespace, spec=None, name="odoo", replicas=2, **metadata):
    """A workload of any kind around one pod spec."""
    spec = spec if spec is not None else pod_spec()
    top = {"apiVersion": api_version(kind), "kind": kind, "metadata": {"name": name, "namespace": namespace, **metadata}}
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    if kind == "Pod":
        return {**top, "spec": spec}
    if kind == "PodTemplate":
        return {**top, "template": template}
    if kind == "CronJob":
        template["spec"] = {"restartPolicy": "Never", **spec}
        return {**top, "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}}
    if kind == "Job":
        template["spec"] = {"restartPolicy": "Never", **spec}
        return {**top, "spec": {"template": template}}
    selector = {"app": name} if kind == "ReplicationController" else {"matchLabels": {"app": name}}
    found = {**top, "spec": {"selector": selector, "template": template}}
    if kind != "DaemonSet":
        found["spec"]["replicas"] = replicas
    return found


def anti_affinity(labels, topology="kubernetes.io/hostname"):
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": labels}, "topologyKey": topology}]}}


def patched(thing, patch):
    """RFC 6902 `add`, `replace`, `test` and `remove` over a copy; raises when it does not apply."""
    result = {"": copy.deepcopy(thing)}
    for operation in patch:
        steps = [step.replace("~1", "/").replace("~0", "~") for step in operation["path"].split("/")]
        at, last = result, steps[-1]
        for step in steps[:-1]:
            at = at[int(step)] if isinstance(at, list) else at[step]
        op = operation["op"]
        if isinstance(at, list):
            if op == "add":
                at.insert(len(at) if last == "-" else int(last), operation["value"])
                continue
            last = int(last)
        if op == "add":
            at[last] = operation["value"]
        elif op == "replace":
            at[last]  # must be there
            at[last] = operation["value"]
        elif op == "remove":
            del at[last]
        elif op == "test":
            assert at[last] == operation["value"]
        else:
            raise AssertionError(f"operation {op}")
    return result[""]


# --- Files that change and calls that go on meanwhile ---


class Mount:
    """A directory as Kubernetes mounts a Secret or ConfigMap: files are links into `..data`, a link that is swapped whole."""

    def __init__(self, path, files):
        self.path = pathlib.Path(path)
        self.path.mkdir()
        self.generation = 0
        self.swap(files)
        for name in files:
            os.symlink(f"..data/{name}", self.path / name)

    def swap(self, files):
        former = self.path / f"..{self.generation}"
        self.generation += 1
        fresh = self.path / f"..{self.generation}"
        fresh.mkdir()
        for name, source in files.items():
            if isinstance(source, str):
                (fresh / name).write_text(source)
            else:
                shutil.copy(source, fresh / name)
        os.symlink(fresh.name, self.path / "..data_tmp")
        os.rename(self.path / "..data_tmp", self.path / "..data")
        shutil.rmtree(former, ignore_errors=True)


class Traffic:
    """Threads that POST reviews, half on kept connections, half on a new one each; a context that collects what fails."""

    def __init__(self, door, threads=4, check=None):
        self.door, self.stopping, self.check = door, threading.Event(), check or self.expect
        self.calls, self.failures, self.closes, self.lock = 0, [], 0, threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(n % 2 == 0,)) for n in range(threads)]

    def __enter__(self):
        for each in self.threads:
            each.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for each in self.threads:
            each.join()

    @staticmethod
    def expect(sent, response):
        """The documents of whoever uses this want two replicas in acme-prod."""
        return response["allowed"] == (sent["request"]["object"]["spec"]["replicas"] >= 2)

    def _run(self, keep):
        context = self.door.context()
        connection = self.door.connect(context)
        n = 0
        while not self.stopping.is_set():
            n += 1
            sent = review(workload("Deployment", "acme-prod", replicas=1 + n % 2))
            try:
                answer = self.door.ask("/validate?timeout=10s", sent, connection)
                response = answer.response()
                if response["uid"] != sent["request"]["uid"] or not self.check(sent, response):
                    raise AssertionError(f"wrong answer {response}")
                if answer.headers.get("Connection", "").lower() == "close":
                    with self.lock:
                        self.closes += 1
            except Exception as wrong:  # whatever it is, the call failed
                with self.lock:
                    self.failures.append(repr(wrong))
                connection.close()
            with self.lock:
                self.calls += 1
            if not keep:
                connection.close()
        connection.close()
