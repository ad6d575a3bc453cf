"""etcd, kube-apiserver (one or several) and kube-controller-manager, ready in seconds, in a directory of their own.

There is no kubelet and no scheduler: a pod stays Pending unless kubelet.py plays them for its namespace. Every API server
writes an audit log with one line a request; `audit` finds the line of one answer by the Audit-Id that came with it.
"""

import contextlib
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading

from . import network, pki, tools, wait
from .api import Api

API_PORT_FIRST = 6443     # of the first cluster; each further one in a run has the next ten
ETCD_PORT_FIRST = 2379
PORTS_PER_CLUSTER = 10
START_SECONDS_MAX = 120
CONTROLLERS = ("serviceaccount-controller,root-ca-certificate-publisher-controller,namespace-controller,endpointslice-controller,"
               "deployment-controller,replicaset-controller,replicationcontroller-controller,statefulset-controller,job-controller,cronjob-controller,"
               "garbage-collector-controller,resourcequota-controller,disruption-controller,validatingadmissionpolicy-status-controller")
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi*"]},
        {"level": "None", "users": ["system:apiserver"]},
        {"level": "Request", "resources": [{"group": "portcullis.dev"}, {"group": "admissionregistration.k8s.io"}]},
        {"level": "Metadata"},
    ],
}


class Process:
    """A program of the control plane, its log, and how to start it again."""

    def __init__(self, name, command, directory):
        self.name, self.command, self.log = name, [str(word) for word in command], directory / f"{name}.log"
        self.process = None
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.log.parent, start_new_session=True,
                                            preexec_fn=wait.dies_with_parent)

    def alive(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log.read_text(errors='replace')[-3000:]}")
        return True

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, seconds=wait.END_SECONDS_MAX):
        wait.end(self.process, seconds)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Cluster:
    """A context: leaving it ends every process and removes the directory, unless PORTCULLIS_E2E_KEEP is set."""

    numbers = itertools.count()
    addresses = network.Addresses()

    def __init__(self, api_servers=1, etcd="3.4", controllers=True, api_options=()):
        network.enter()
        offset = PORTS_PER_CLUSTER * next(self.numbers)
        self.api_port, self.etcd_port = API_PORT_FIRST + offset, ETCD_PORT_FIRST + offset
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-e2e-"))
        self.dir.chmod(0o755)
        self.closing = []
        self.api_servers, self.controller_manager, self.etcd = [], None, None
        self.lock = threading.Lock()
        self.audit_read = {}
        self._files, self.bound = {}, set()
        try:
            self._start(api_servers, etcd, controllers, api_options)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _start(self, api_servers, etcd, controllers, api_options):
        self.pki = pki.Authority(self.dir / "pki")
        self.etcd = Process("etcd", [
            tools.etcd(etcd), "--name=e2e", f"--data-dir={self.dir}/etcd", f"--listen-client-urls=http://127.0.0.1:{self.etcd_port}",
            f"--advertise-client-urls=http://127.0.0.1:{self.etcd_port}", f"--listen-peer-urls=http://127.0.0.1:{self.etcd_port + 1}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{self.etcd_port + 1}", f"--initial-cluster=e2e=http://127.0.0.1:{self.etcd_port + 1}", "--log-level=warn",
            "--quota-backend-bytes=4294967296"], self.dir)
        names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost", "127.0.0.1", network.HOST, "10.96.0.1")
        serving = self.pki.sign("kube-apiserver", usage="serverAuth", names=names)
        to_api = self.pki.sign("kube-controller-manager", file="controller-client", groups=["system:masters"])
        private, public = self.pki.key_pair("service-account")
        (self.dir / "audit-policy.yaml").write_text(json.dumps(AUDIT_POLICY))
        for number in range(api_servers):
            self.api_servers.append(Process(f"kube-apiserver-{number}", [
                tools.tool("kube-apiserver"), f"--etcd-servers=http://127.0.0.1:{self.etcd_port}", f"--bind-address={network.HOST}",
                f"--secure-port={self.api_port + number}", f"--advertise-address={network.HOST}", "--service-cluster-ip-range=10.96.0.0/16",
                "--authorization-mode=RBAC", "--enable-aggregator-routing=true", "--allow-privileged=true",
                f"--client-ca-file={self.pki.ca}", f"--tls-cert-file={serving[0]}", f"--tls-private-key-file={serving[1]}",
                f"--service-account-key-file={public}", f"--service-account-signing-key-file={private}",
                "--service-account-issuer=https://kubernetes.default.svc", "--anonymous-auth=true", "--endpoint-reconciler-type=none",
                f"--audit-policy-file={self.dir}/audit-policy.yaml", f"--audit-log-path={self.dir}/audit-{number}.log", "--audit-log-mode=blocking",
                "--profiling=false", "--storage-media-type=application/vnd.kubernetes.protobuf", *api_options], self.dir))
        self.admin = self.user("platform-admin", ["system:masters", "platform"])
        for number in range(api_servers):
            api = self.admin.at(self.api_port + number)
            wait.until(lambda: self.is_ready(api) or (self.api_servers[number].alive() and self.etcd.alive() and None), START_SECONDS_MAX, f"API server {number}")
        if controllers:
            config = self.kubeconfig("controller-manager", *to_api)
            self.controller_manager = Process("kube-controller-manager", [
                tools.tool("kube-controller-manager"), f"--kubeconfig={config}", "--leader-elect=false", f"--controllers={CONTROLLERS}",
                "--use-service-account-credentials=true", f"--service-account-private-key-file={private}", f"--root-ca-file={self.pki.ca}",
                "--kube-api-qps=200", "--kube-api-burst=400", "--concurrent-gc-syncs=4", "--secure-port=0"], self.dir)
        self.admin_kubeconfig = self.kubeconfig("admin", *self._files["platform-admin"])
        self.namespace("default", create=False)

    @staticmethod
    def is_ready(api):
        with contextlib.suppress(OSError):
            return api.request("GET", "/readyz", timeout=10).status == 200
        return False

    # --- Users ---

    def user(self, name, groups=(), port=None):
        """A person with a client certificate of the cluster's CA."""
        with self.lock:
            if name not in self._files:
                self._files[name] = self.pki.sign(name, groups)
        return Api(network.HOST, port or self.api_port, self.pki.ca, *self._files[name], user=name)

    def service_account(self, namespace, name, port=None):
        """A machine with a token that the API server gives it."""
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        token = self.admin.request("POST", path, request).ok().object["status"]["token"]
        return Api(network.HOST, port or self.api_port, self.pki.ca, token=token, user=f"system:serviceaccount:{namespace}:{name}")

    def tenant_user(self, name, namespaces, groups=("tenants",)):
        """A developer of a tenant: may write workloads in these namespaces and nothing anywhere else."""
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "tenant-developer"},
                "rules": [{"apiGroups": ["", "apps", "batch", "networking.k8s.io", "autoscaling"], "resources": ["*"], "verbs": ["*"]}]}
        user = self.user(name, groups)
        for namespace in namespaces:
            if (name, namespace) in self.bound:
                continue
            self.admin.create(role).ok(201, 409)
            self.admin.put({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": f"edit-{name}", "namespace": namespace},
                            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "tenant-developer"},
                            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}]}).ok()
            for number in range(len(self.api_servers)):
                at = user.at(self.api_port + number)
                wait.until(lambda: at.get("Pod", namespace).status == 200, 30, f"the rights of {name} in {namespace}")
            self.bound.add((name, namespace))
        return user

    def kubeconfig(self, name, certificate, key, server=None):
        path = self.dir / f"{name}.kubeconfig"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "e2e",
            "clusters": [{"name": "e2e", "cluster": {"server": server or f"https://{network.HOST}:{self.api_port}", "certificate-authority": str(self.pki.ca)}}],
            "users": [{"name": name, "user": {"client-certificate": str(certificate), "client-key": str(key)}}],
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": name}}]}))
        return path

    def kubectl(self, *words, user=None, text=None, check=True, timeout=120, env=None):
        """kubectl as a user types it; the finished process with its output."""
        config = self.admin_kubeconfig if user is None else self.kubeconfig(user, *self._files[user])
        done = subprocess.run([str(tools.tool("kubectl")), *map(str, words)], input=text, capture_output=True, text=True, timeout=timeout,
                              env={**os.environ, "KUBECONFIG": str(config), "HOME": str(self.dir), **(env or {})})
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(map(str, words))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def run(self, *words, timeout=180):
        """A program as the administrator would start it; the finished process."""
        return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=timeout,
                              env={**os.environ, "KUBECONFIG": str(self.admin_kubeconfig), "HOME": str(self.dir)})

    # --- What tests need of a cluster ---

    def namespace(self, name, labels=None, create=True, user=None):
        """A namespace that pods can be created in: its service account is there."""
        if create:
            (user or self.admin).create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}}).ok(201, 409)
        wait.until(lambda: self.admin.get("ServiceAccount", name, "default").status == 200, 60, f"the service account of {name}")
        return name

    def node(self, name, zone):
        self.admin.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone}}}).ok(201, 409)
        self.admin.patch("Node", None, name, {"status": {
            "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "2000"}, "capacity": {"cpu": "64", "memory": "256Gi", "pods": "2000"},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]}}, subresource="status").ok()

    def audit(self, answer, seconds=10):
        """The audit log's line about a request, by the Audit-Id of its answer."""
        def found():
            for event in self.audit_events():
                if event["auditID"] == answer.audit_id and event["stage"] == "ResponseComplete":
                    return event
            return None
        return wait.until(found, seconds, f"the audit event {answer.audit_id}")

    def audit_events(self):
        events = []
        for number in range(len(self.api_servers)):
            path = self.dir / f"audit-{number}.log"
            lines = path.read_text().split("\n")[:-1] if path.exists() else []
            events += [json.loads(line) for line in lines[self.audit_read.get(number, 0):]]
        return events

    def audit_mark(self):
        """What was written until now is not looked at any more."""
        for number in range(len(self.api_servers)):
            path = self.dir / f"audit-{number}.log"
            self.audit_read[number] = path.read_text().count("\n") if path.exists() else 0

    def close(self):
        for each in reversed(self.closing):
            with contextlib.suppress(Exception):
                each()
        for process in (self.controller_manager, *self.api_servers):
            if process is not None and process.process.poll() is None:
                process.process.kill()  # nothing of theirs is kept
        for process in (self.controller_manager, *self.api_servers, self.etcd):
            if process is not None:
                process.stop()
        if not os.environ.get("PORTCULLIS_E2E_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)
