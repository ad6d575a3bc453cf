"""What the gate costs where users feel it: creates through a real API server.

    sudo python3 bench/cluster.py [--pairs N] [--seconds S] [--part admission|budget|scale ...]

`admission`: dry-run creates of a Deployment that passes all rules, 16 in flight, without the webhook configurations and with
them, one after the other in the same minute; the median of the pairs. `denials`: the same with one that is denied.
`budget`: pods that are stored, 16 in flight, three replicas and two API servers: with tenant-budget, with Kubernetes' own
ResourceQuota, with neither; and denials once the budget is used up. `scale`: first sync and memory with 2,000 namespaces and
10,000 pods.

API server, etcd, controllers, the replicas and the load share this machine's cores: read the quotients, not the figures.
The result is printed as Markdown and appended to build/bench-cluster.md.
"""

import argparse
import os
import pathlib
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from harness import install, objects, wait  # noqa: E402
from harness.budget import NAMESPACES, Budgets, pod, without_namespace  # noqa: E402
from harness.cluster import Cluster  # noqa: E402
from harness.traffic import Load  # noqa: E402

NAMESPACE = "acme-all"
PATH = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments?dryRun=All"


RESULT = ROOT / "build/bench-cluster.md"


def say(text):
    print(text, flush=True)
    with RESULT.open("a") as file:
        file.write(text + "\n")


def row(name, *values):
    say("| " + " | ".join([name, *values]) + " |")


def document(kind, name, **spec):
    return {"apiVersion": "portcullis.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def documents(mending):
    """Seven rules for one namespace; with `mending`, two of them write what is missing, and so /mutate is asked too."""
    bounds = {"defaults": {"requests.cpu": "100m", "requests.memory": "128Mi", "limits.memory": "1Gi"}} if mending else {}
    return {"bench.yaml": [
        document("Platform", "hoster", environments=["production"], unknownNamespace="allow",
                 systemNamespaces=["kube-system", "kube-public", "kube-node-lease", "portcullis-system"]),
        document("Tenant", "acme", tier=2, timeZone="Europe/Zurich", namespaces=[{"pattern": "acme-*", "environment": "production", "tenancy": "multi-tenant"}]),
        document("Policy", "all", rules=[
            {"id": "anti-affinity", "inject": mending}, {"id": "container-bounds", "inject": mending, "with": bounds}, {"id": "image-digest"},
            {"id": "image-registry", "with": {"allow": ["registry.hoster.example/**"]}}, {"id": "no-inline-secret"},
            {"id": "replica-floor", "with": {"min": 2}}, {"id": "secret-reference"}])]}


def cpu_seconds(process):
    """What a process has had of all cores, in user and kernel mode (proc(5), stat: utime and stime)."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bench:
    def __init__(self, seconds, pairs):
        self.seconds, self.pairs = seconds, pairs
        self.cluster = Cluster()
        self.cluster.namespace(NAMESPACE)
        self.gate = install.Gate(self.cluster, documents(False))

    def gated(self, on):
        """The webhook configurations, there or not."""
        for each in self.gate.configurations():
            if on:
                self.cluster.admin.create(each).ok(201, 409)
            else:
                self.cluster.admin.delete(each["kind"], None, "portcullis").ok(200, 404)
        probe = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "probe-"}}

        def asked():
            annotations = self.cluster.audit(self.cluster.admin.create(probe, dry_run=True).ok()).get("annotations") or {}
            return any("portcullis.dev/" in key for key in annotations)
        wait.until(lambda: asked() == on, 30, "the configurations' change")
        self.cluster.audit_mark()

    def cpu(self):
        """(API servers, replicas of the gate), in seconds."""
        return [sum(map(cpu_seconds, each)) for each in ([server.process for server in self.cluster.api_servers], [pod.process for pod in self.gate.pods])]

    def creates(self, replicas=2, wanted=201):
        thing = objects.workload("Deployment", NAMESPACE, replicas=replicas, generateName="bench-")
        before = self.cpu()
        done = Load(self.cluster, self.cluster.admin, PATH, thing, c=16, seconds=self.seconds).result()
        wrong = done.other_than(wanted)
        if wrong:
            raise SystemExit(f"not what was asked for: {wrong}")
        done["cpu_us"] = [(now - then) / done["requests"] * 1e6 for now, then in zip(self.cpu(), before)]
        self.cluster.audit_mark()
        return done

    def admission(self):
        self.creates()  # warms up
        row("dry-run creates", "without webhook, per second", "with", "p50 ms without / with", "p99 ms without / with",
            "CPU us a create: API server without / with, gate", "quotient")
        row("---", "---", "---", "---", "---", "---", "---")
        middle = statistics.median
        for name, mending in (("seven rules", False), ("seven rules, two of which mend", True)):
            self.gated(False)
            self.gate.change(documents(mending))
            pairs = []
            for number in range(self.pairs):
                found = {}
                for on in (False, True) if number % 2 == 0 else (True, False):
                    self.gated(on)
                    found[on] = self.creates()
                pairs.append((found[False], found[True]))
            rates = [[pair[index]["per_second"] for pair in pairs] for index in (0, 1)]
            times = {key: " / ".join(f"{middle(pair[index]['by_status']['201'][key] for pair in pairs):.1f}" for index in (0, 1)) for key in ("p50_ms", "p99_ms")}
            quotient = middle(after / before for before, after in zip(*rates))
            server = " / ".join(f"{middle(pair[index]['cpu_us'][0] for pair in pairs):.0f}" for index in (0, 1))
            ours = middle(pair[1]["cpu_us"][1] for pair in pairs)
            row(name, f"{middle(rates[0]):.0f}", f"{middle(rates[1]):.0f}", times["p50_ms"], times["p99_ms"], f"{server}, {ours:.0f}", f"{quotient:.2f}")
        say("")

    def denials(self):
        self.gated(True)
        done = self.creates(replicas=1, wanted=403)
        each = done["by_status"]["403"]
        say(f"denials: {done['per_second']:.0f} a second, p50 {each['p50_ms']:.1f} ms, p99 {each['p99_ms']:.1f} ms\n")

    def close(self):
        self.cluster.close()


class BudgetBench:
    """Creates that are stored, with Kubernetes' own ResourceQuota, with ours, and with neither; one after the other, in turn."""

    PODS, ROUNDS = 600, 3

    def __init__(self):
        self.cluster = Cluster(api_servers=2, etcd="3.6")
        self.budgets = Budgets(self.cluster, {"pods": "5000", "requests.cpu": "100"}, replicas=3)
        self.configurations = self.budgets.gate.configurations()

    def ours(self, on):
        for each in self.configurations:
            if on:
                self.cluster.admin.create(each).ok(201, 409)
            else:
                self.cluster.admin.delete(each["kind"], None, "portcullis").ok(200, 404)
        if on:
            self.budgets.gate.wait_effective()

    def theirs(self, on):
        """One ResourceQuota a namespace; the tenant's sum is more than Kubernetes can say."""
        for namespace in NAMESPACES:
            if on:
                self.cluster.admin.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "bench", "namespace": namespace},
                                           "spec": {"hard": {"pods": "5000", "requests.cpu": "100"}}}).ok(201, 409)
                wait.until(lambda: "used" in self.cluster.admin.get("ResourceQuota", namespace, "bench").object["status"], 30, "the ResourceQuota's status")
            else:
                self.cluster.admin.delete("ResourceQuota", namespace, "bench").ok(200, 404)

    def run(self):
        found = {}
        for _ in range(self.ROUNDS):
            for name, ours, theirs in (("neither", False, False), ("ResourceQuota", False, True), ("tenant-budget", True, False)):
                self.ours(ours)
                self.theirs(theirs)
                self.cluster.audit_mark()
                done = self.budgets.race(n=self.PODS, c=16).result()
                # Of ResourceQuota 409 is a result: its writers met too often, and the user is told to try again.
                if done.other_than(201, 409 if theirs else 201):
                    raise SystemExit(f"{name}: {done.other_than(201)}")
                found.setdefault(name, []).append((done, sum(self.budgets.writes().values())))
                for namespace in NAMESPACES:
                    self.cluster.admin.request("DELETE", f"/api/v1/namespaces/{namespace}/pods?gracePeriodSeconds=0").ok()
                self.theirs(False)
                self.ours(True)
                self.budgets.settled(0, 120)
        row("creates of pods", "per second", "p50 ms", "p99 ms", "writes of TenantQuota an admission", f"409 of {self.PODS}")
        row("---", "---", "---", "---", "---", "---")
        for name, runs in found.items():
            each = [done["by_status"]["201"] for done, _ in runs]
            writes = statistics.median(count / self.PODS for _, count in runs)
            row(name, f"{statistics.median(done['per_second'] for done, _ in runs):.0f}", f"{statistics.median(e['p50_ms'] for e in each):.1f}",
                f"{statistics.median(e['p99_ms'] for e in each):.1f}", f"{writes:.3f}", f"{statistics.median(done.count(409) for done, _ in runs):.0f}")
        self.ours(True)
        filled = self.budgets.race(n=5000 - self.budgets.stored(), c=64).result()
        denied = self.budgets.race(n=600, c=16).result()
        say(f"\n{filled.count(201)} filled the budget; denials then: {denied['per_second']:.0f} a second, {denied.times(403)}; other {denied.other_than(403) or 0}\n")

    def close(self):
        self.cluster.close()


class ScaleBench:
    """First sync and memory of a replica in a cluster that is there already."""

    SPACES, PODS = 2000, 10000

    def __init__(self):
        self.cluster = Cluster(etcd="3.6")
        admin = self.cluster.admin
        made = Load(self.cluster, admin, "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "load-{{N}}"}}, n=self.SPACES, c=16).result()
        assert made.count(201) == self.SPACES, made.other_than(201)
        last = f"load-{self.SPACES - 1}"
        wait.until(lambda: all(admin.get("ServiceAccount", name, "default").status == 200 for name in ("load-0", last)), 300, "the service accounts")
        wait.until(lambda: len(admin.list("ServiceAccount", fieldSelector="metadata.name=default")) >= self.SPACES, 300, "all service accounts", poll=1)
        places = [f"load-{number}" for number in range(self.SPACES)]
        made = Load(self.cluster, admin, "/api/v1/namespaces/{{P}}/pods", without_namespace(pod()), n=self.PODS, c=32, places=places).result()
        assert made.count(201) == self.PODS, made.other_than(201)

    def run(self):
        budgets = Budgets(self.cluster, {"pods": "50000", "requests.cpu": "1000"}, replicas=2)
        gate = budgets.gate
        victim = gate.pods[0]
        victim.process.kill()
        begun = time.monotonic()
        restarts = victim.containers[0].restarts
        wait.until(lambda: victim.containers[0].restarts > restarts, 30, "the restart", poll=0.005)
        started = time.monotonic()

        def ready():
            try:
                return victim.get("/readyz")[0] == 200
            except OSError:
                return False
        wait.until(ready, 120, "readiness", poll=0.01)
        synced = time.monotonic() - started
        usages = [each.rss() / 2**20 for each in gate.pods]
        say(f"{self.SPACES} namespaces, {self.PODS} pods: ready {synced:.2f} s after the start of the process ({time.monotonic() - begun:.2f} s after the kill); "
              f"resident {' and '.join(f'{each:.0f}' for each in usages)} MiB\n")

    def close(self):
        self.cluster.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--part", action="append", choices=["admission", "denials", "budget", "scale"])
    options = parser.parse_args()
    parts = options.part or ["admission", "denials", "budget", "scale"]
    if {"admission", "denials"} & set(parts):
        bench = Bench(options.seconds, options.pairs)
        try:
            for part in ("admission", "denials"):
                if part in parts:
                    getattr(bench, part)()
        finally:
            bench.close()
    for part, kind in (("budget", BudgetBench), ("scale", ScaleBench)):
        if part in parts:
            bench = kind()
            try:
                bench.run()
            finally:
                bench.close()


if __name__ == "__main__":
    main()
