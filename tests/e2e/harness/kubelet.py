"""Scheduler and kubelet of one namespace: runs this repository's program where a pod says so, and writes what it sees.

A pod gets a node (required anti-affinity by host is kept), a network namespace with its own address that lives as long as the
pod, its volumes, and its containers; start-up, readiness and liveness probes decide what its status says, and with it
whether the EndpointSlice controller sends anybody there. A container that ends is started again; a pod that is deleted gets
SIGTERM, its grace period, then SIGKILL. Faults for tests: `kill`, `stop_pod`, `cut`, and `api`, the API server's address
that pods are told.
"""

import contextlib
import http.client
import itertools
import json
import pathlib
import subprocess
import threading
import time

from . import network, tools, wait
from .peer import resident_bytes
from .volumes import NotThere, Volumes, field

TICK_SECONDS = 0.1
SYNC_SECONDS = 0.5          # how soon a changed ConfigMap or Secret is in the files
PROBE_SECONDS_MIN = 5       # a busy test machine is no sick program
RESTART_SECONDS = (0.1, 5)  # first and longest pause before a container is started again


class Probe:
    """One probe's verdict, from one try a period."""

    def __init__(self, spec, verdict):
        self.spec, self.verdict = spec, verdict
        self.due, self.streak, self.last = 0.0, 0, None

    def tick(self, pod):
        if self.spec is None or time.monotonic() < self.due:
            return
        self.due = time.monotonic() + self.spec.get("periodSeconds", 10)
        good = self._ask(pod)
        self.streak = self.streak + 1 if good == self.last else 1
        self.last = good
        if good and self.streak >= self.spec.get("successThreshold", 1):
            self.verdict = True
        if not good and self.streak >= self.spec.get("failureThreshold", 3):
            self.verdict = False

    def _ask(self, pod):
        get = self.spec["httpGet"]
        seconds = max(self.spec.get("timeoutSeconds", 1), PROBE_SECONDS_MIN)
        try:
            connection = http.client.HTTPConnection(pod.address, pod.port(get["port"]), timeout=seconds)
            with contextlib.closing(connection):
                connection.request("GET", get["path"])
                return 200 <= connection.getresponse().status < 400
        except (OSError, http.client.HTTPException):
            return False


class Container:
    def __init__(self, pod, spec):
        self.pod, self.spec, self.name = pod, spec, spec["name"]
        self.process, self.restarts, self.pause, self.again = None, 0, RESTART_SECONDS[0], 0.0
        self.exit_code, self.ever, self.started_at = None, False, None
        self.stdout, self.stderr = pod.dir / f"{self.name}.out", pod.dir / f"{self.name}.err"
        self.root = pod.dir / f"{self.name}.root"
        self.root.mkdir()
        self._probes()

    def _probes(self):
        self.startup = Probe(self.spec.get("startupProbe"), self.spec.get("startupProbe") is None)
        self.readiness = Probe(self.spec.get("readinessProbe"), self.spec.get("readinessProbe") is None)
        self.liveness = Probe(self.spec.get("livenessProbe"), True)

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def ready(self):
        return self.running and self.startup.verdict and self.readiness.verdict

    def start(self):
        pod = self.pod.object
        security = {**(pod["spec"].get("securityContext") or {}), **(self.spec.get("securityContext") or {})}
        user, group = security.get("runAsUser", 0), security.get("runAsGroup", security.get("runAsUser", 0))
        if security.get("runAsNonRoot") and user == 0:
            raise AssertionError(f"{self.pod.name}: runAsNonRoot, and no user")
        mounts = self.pod.dir / f"{self.name}.mounts"
        mounts.write_text("".join(
            f"{self.pod.volumes.source(mount['name'])}{'/' + mount['subPath'] if 'subPath' in mount else ''}\t{mount['mountPath']}\t"
            f"{'ro' if mount.get('readOnly') else 'rw'}\n" for mount in self.spec.get("volumeMounts") or []))
        env = self._env()
        words = [self._expand(word, env) for word in [*(self.spec.get("command") or ["/portcullis"]), *(self.spec.get("args") or [])]]
        words[0] = "/portcullis" if words[0].split("/")[-1] == "portcullis" else words[0]
        command = ["nsenter", "-t", str(self.pod.sandbox.pid), "-n", "unshare", "--mount", "--propagation", "private",
                   str(pathlib.Path(__file__).with_name("container.sh")), str(self.root), str(self.pod.kubelet.program), str(mounts), str(user), str(group),
                   *(f"{name}={value}" for name, value in env.items()), *words]
        with open(self.stdout, "ab") as out, open(self.stderr, "ab") as err:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True, preexec_fn=wait.dies_with_parent)
        self.exit_code, self.ever, self.started_at = None, True, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._probes()

    def _env(self):
        host, port = self.pod.kubelet.api_address(self.pod)
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOSTNAME": self.pod.name, "KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}
        for each in self.spec.get("env") or []:
            if "valueFrom" in each:
                env[each["name"]] = field(self.pod.object, each["valueFrom"]["fieldRef"]["fieldPath"])
            else:
                env[each["name"]] = self._expand(each.get("value", ""), env)
        return env

    @staticmethod
    def _expand(text, env):
        for name, value in env.items():
            text = text.replace(f"$({name})", value)
        return text

    def tick(self):
        """Probes and restarts. True when what the status says has changed."""
        before = (self.running, self.ready, self.restarts, self.exit_code)
        if self.process is not None and self.process.poll() is not None and self.exit_code is None:
            self.exit_code = self.process.returncode
            self.again = time.monotonic() + self.pause
            self.pause = min(self.pause * 2, RESTART_SECONDS[1])
            self._probes()
        policy = self.pod.object["spec"].get("restartPolicy", "Always")
        if not self.running and time.monotonic() >= self.again and (
                self.process is None or policy == "Always" or (policy == "OnFailure" and self.exit_code != 0)):
            self.restarts += self.process is not None
            self.start()
        if self.running:
            if not self.startup.verdict:
                self.startup.tick(self.pod)
            else:
                self.readiness.tick(self.pod)
                self.liveness.tick(self.pod)
                if not self.liveness.verdict:
                    self.process.terminate()
        return before != (self.running, self.ready, self.restarts, self.exit_code)

    def status(self):
        found = {"name": self.name, "image": self.spec["image"], "imageID": "", "ready": self.ready, "started": self.running and self.startup.verdict,
                 "restartCount": self.restarts, "lastState": {}}
        if self.running:
            found["state"] = {"running": {"startedAt": self.started_at}}
        elif self.exit_code is not None:
            code = self.exit_code if self.exit_code >= 0 else 128 - self.exit_code
            found["state"] = {"terminated": {"exitCode": code, "reason": "Completed" if code == 0 else "Error"}}
        else:
            found["state"] = {"waiting": {"reason": "ContainerCreating"}}
        return found


class Pod:
    """One pod, in a thread of its own from the moment it is seen until it is gone."""

    numbers = itertools.count(1)

    def __init__(self, kubelet, thing):
        self.kubelet, self.object = kubelet, thing
        self.name, self.uid = thing["metadata"]["name"], thing["metadata"]["uid"]
        self.dir = kubelet.cluster.dir / "pods" / f"{self.name}-{self.uid[:8]}"
        self.dir.mkdir(parents=True)
        self.address, self.link = kubelet.cluster.addresses.take(), f"pod{next(self.numbers)}"
        self.sandbox, self.containers, self.volumes = None, [], None
        self.gone, self.problem, self.phase = threading.Event(), None, "Pending"
        self.hold = False                # a test's: nothing is started while this is set
        self.thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self.thread.start()

    @property
    def terminating(self):
        return "deletionTimestamp" in self.object["metadata"]

    @property
    def ready(self):
        return bool(self.containers) and all(each.ready for each in self.containers)

    @property
    def process(self):
        return self.containers[0].process if self.containers else None

    def port(self, port):
        if isinstance(port, int):
            return port
        for container in self.object["spec"]["containers"]:
            for each in container.get("ports") or []:
                if each.get("name") == port:
                    return each["containerPort"]
        raise AssertionError(f"{self.name} has no port {port}")

    def _run(self):
        try:
            self._lifetime()
        except BaseException as wrong:  # the kubelet's mistake must be seen by the test that waits for this pod
            self.problem = repr(wrong)
            self.kubelet.problems.append(f"{self.name}: {wrong!r}")
        finally:
            self._end(0)
            self.gone.set()

    def _lifetime(self):
        while not self.object["spec"].get("nodeName"):
            if self._stop_now() or self.kubelet.bind(self):
                break
            time.sleep(TICK_SECONDS)
        synced = 0.0
        while not self._stop_now():
            try:
                if self.volumes is None:
                    self.object["status"]["podIP"] = self.address
                    volumes = Volumes(self.kubelet.api, self.object, self.dir / "volumes")
                    volumes.sync()
                    self.volumes = volumes
                    self._start()
                if time.monotonic() - synced > SYNC_SECONDS:
                    synced = time.monotonic()
                    self.volumes.sync()
            except NotThere as missing:
                self.problem = f"waits for {missing}"
            except (OSError, http.client.HTTPException, AssertionError) as wrong:  # an API server that is away now
                self.problem = repr(wrong)
            changed = False
            if not self.hold and self.volumes is not None:
                for container in self.containers:
                    changed |= container.tick()
            if changed:
                self._status()
            time.sleep(TICK_SECONDS)
        if self.terminating and not self.kubelet.stopping.is_set():
            self._end(self.object["metadata"].get("deletionGracePeriodSeconds", 30))
            self._confirm()

    def _stop_now(self):
        return self.terminating or self.gone.is_set() or self.kubelet.stopping.is_set()

    def _start(self):
        with open(self.dir / "sandbox.log", "wb") as log:
            self.sandbox = subprocess.Popen(["unshare", "--net", "--", "sleep", "infinity"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, preexec_fn=wait.dies_with_parent)
        own = f"/proc/{self.sandbox.pid}/comm"
        wait.until(lambda: pathlib.Path(own).read_text().strip() == "sleep", 30, "the pod's network namespace", poll=0.005)
        network.join(self.sandbox.pid, self.address, self.link)
        self.containers = [Container(self, spec) for spec in self.object["spec"]["containers"]]

    def _status(self):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        policy = self.object["spec"].get("restartPolicy", "Always")
        done = all(each.exit_code is not None and not each.running for each in self.containers)
        self.phase = "Running"
        if done and policy != "Always":
            failed = any(each.exit_code != 0 for each in self.containers)
            self.phase = "Succeeded" if not failed else "Running" if policy == "OnFailure" else "Failed"
        ready = "True" if self.ready else "False"
        conditions = [{"type": name, "status": status, "lastTransitionTime": now} for name, status in (
            ("PodScheduled", "True"), ("Initialized", "True"), ("ContainersReady", ready), ("Ready", ready))]
        status = {"phase": self.phase, "podIP": self.address, "podIPs": [{"ip": self.address}], "hostIP": network.HOST, "startTime": now,
                  "conditions": conditions, "containerStatuses": [each.status() for each in self.containers]}
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not self.kubelet.stopping.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = self.kubelet.api.patch("Pod", self.object["metadata"]["namespace"], self.name, {"metadata": {"uid": self.uid}, "status": status},
                                                subresource="status")
                if answer.status in (200, 404, 409):
                    return
            time.sleep(TICK_SECONDS)

    def _end(self, grace):
        for container in self.containers:
            for hook in [(container.spec.get("lifecycle") or {}).get("preStop") or {}]:
                if grace and container.running and "sleep" in hook:
                    time.sleep(hook["sleep"]["seconds"])
            if container.running:
                with contextlib.suppress(ProcessLookupError):
                    if grace:
                        container.process.terminate()
                    else:
                        container.process.kill()
                    container.process.send_signal(18)  # SIGCONT: a stopped one ends too
        deadline = time.monotonic() + grace
        for container in self.containers:
            if container.process is not None:
                try:
                    container.process.wait(max(0.0, deadline - time.monotonic()) if grace else 10)
                except subprocess.TimeoutExpired:
                    container.process.kill()
                    container.process.wait()
                container.exit_code = container.process.returncode
        if self.sandbox is not None and self.sandbox.poll() is None:
            self.sandbox.kill()
            self.sandbox.wait()

    def _confirm(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not self.kubelet.stopping.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = self.kubelet.api.delete("Pod", self.object["metadata"]["namespace"], self.name, gracePeriodSeconds=0, preconditions={"uid": self.uid})
                if answer.status in (200, 202, 404, 409):
                    return
            time.sleep(TICK_SECONDS)

    # --- For tests ---

    def get(self, path, port="metrics", seconds=10):
        connection = http.client.HTTPConnection(self.address, self.port(port), timeout=seconds)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def metrics(self):
        """{'name{labels}': value} of one scrape."""
        found = {}
        for line in self.get("/metrics")[1].splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name] = float(value)
        return found

    def metric(self, name, **labels):
        """The sum of all series of `name` that carry these labels."""
        return sum(value for series, value in self.metrics().items()
                   if series.split("{")[0] == name and all(f'{key}="{wanted}"' in series for key, wanted in labels.items()))

    def stderr(self):
        return "".join(each.stderr.read_text(errors="replace") for each in self.containers)

    def decisions(self, **wanted):
        """What the decision log, on standard output, holds so far."""
        lines = "".join(each.stdout.read_text(errors="replace") for each in self.containers).split("\n")[:-1]
        records = [json.loads(line) for line in lines if line.startswith("{")]
        return [each for each in records if all(each.get(key) == value for key, value in wanted.items())]

    def rss(self):
        """Resident bytes of the program."""
        return resident_bytes(self.process)


class Kubelet:
    """Runs every pod of the namespace. A context; leaving it ends what it started."""

    def __init__(self, cluster, namespace="portcullis-system", nodes=3, program=None):
        self.cluster, self.namespace = cluster, namespace
        self.program = program or tools.PROGRAM
        self.api = cluster.user("kubelet", ["system:masters"])
        self.api_address = lambda pod: (network.HOST, cluster.api_port)
        self.pods, self.problems, self.stopping = {}, [], threading.Event()
        self.lock = threading.Lock()
        self.nodes = [f"node-{number}" for number in range(1, nodes + 1)]
        for number, name in enumerate(self.nodes):
            cluster.node(name, f"zone-{'abc'[number % 3]}")
        self.thread = threading.Thread(target=self._watch, name="kubelet", daemon=True)
        self.thread.start()
        cluster.closing.append(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _watch(self):
        while not self.stopping.is_set():
            try:
                present = {each["metadata"]["uid"]: each for each in self.api.list("Pod", self.namespace)}
            except (OSError, http.client.HTTPException, AssertionError):
                present = None
            if present is not None:
                for uid, thing in present.items():
                    known = self.pods.get(uid)
                    if known is None:
                        if "deletionTimestamp" in thing["metadata"] and not thing["spec"].get("nodeName"):
                            continue
                        self.pods[uid] = Pod(self, thing)
                    elif known.object["metadata"]["resourceVersion"] != thing["metadata"]["resourceVersion"]:
                        known.object = thing
                        known.object["status"]["podIP"] = known.address
                for uid, pod in list(self.pods.items()):
                    if uid not in present:
                        pod.gone.set()
                        del self.pods[uid]
            self.stopping.wait(TICK_SECONDS)

    def bind(self, pod):
        """Gives a pod a node. False while none is free for it."""
        terms = (((pod.object["spec"].get("affinity") or {}).get("podAntiAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")) or []
        with self.lock:
            taken = {}
            for other in self.pods.values():
                node = other.object["spec"].get("nodeName")
                if other is not pod and node and not other.gone.is_set():
                    labels = other.object["metadata"].get("labels") or {}
                    apart = any(all(labels.get(key) == value for key, value in (term["labelSelector"].get("matchLabels") or {}).items())
                                for term in terms if term["topologyKey"] == "kubernetes.io/hostname")
                    taken.setdefault(node, []).append(apart)
            free = [node for node in self.nodes if not any(taken.get(node, []))]
            if not free:
                return False
            node = min(free, key=lambda each: len(taken.get(each, [])))
            try:
                answer = self.api.request("POST", f"/api/v1/namespaces/{self.namespace}/pods/{pod.name}/binding", {
                    "apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod.name}, "target": {"apiVersion": "v1", "kind": "Node", "name": node}})
            except (OSError, http.client.HTTPException):
                return False
            if answer.status not in (200, 201):
                return False
            pod.object["spec"]["nodeName"] = node
            return True

    # --- For tests ---

    def of(self, component, ready=None):
        """The pods of a component, those that are not on their way out."""
        found = [pod for pod in list(self.pods.values())
                 if (pod.object["metadata"].get("labels") or {}).get("app.kubernetes.io/component") == component and not pod.terminating]
        return [pod for pod in found if ready is None or pod.ready == ready]

    def wait_ready(self, component="webhook", replicas=2, seconds=90):
        """The pods of a component, once this many are ready and the EndpointSlices say so."""
        def condition():
            if self.problems:
                raise AssertionError(f"the kubelet failed: {self.problems}")
            ready = self.of(component, ready=True)
            return ready if len(ready) >= replicas and self._endpoints(component) >= {pod.address for pod in ready} else None
        try:
            return wait.until(condition, seconds, f"{replicas} ready pods of {component}")
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.report()}") from None

    def _endpoints(self, component):
        slices = self.api.list("EndpointSlice", self.namespace)
        return {address for each in slices for endpoint in each["endpoints"] or [] if (endpoint.get("conditions") or {}).get("ready")
                for address in endpoint["addresses"]}

    def report(self):
        lines = []
        for pod in list(self.pods.values()):
            lines.append(f"{pod.name}: {pod.phase}, ready {pod.ready}, problem {pod.problem}")
            lines += ["  " + line for line in pod.stderr().splitlines()[-8:]]
        return "\n".join(lines)

    def close(self):
        self.stopping.set()
        self.thread.join(10)
        for pod in list(self.pods.values()):
            pod.thread.join(20)
