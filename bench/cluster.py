"""What the gate costs where users feel it: creates through a real API server.

    sudo python3 bench/cluster.py [--pairs N] [--seconds S] [--part admission|budget|scale ...]

`admission`: dry-run creates of a Deployment that passes all rules, 16 in flight, without the webhook configurations and with
them, one after the other in the same minute; the median of the pairs. `denials`: the same with one that is denied.
API server, etcd, controllers, two replicas and the load share this machine's cores: read the quotients, not the figures.
The result is printed as Markdown and appended to build/bench-cluster.md.
"""

import argparse
import pathlib
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from harness import install, objects, wait  # noqa: E402
from harness.cluster import Cluster  # noqa: E402
from harness.traffic import Load  # noqa: E402

NAMESPACE = "acme-all"
PATH = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments?dryRun=All"


def row(name, *values):
    print("| " + " | ".join([name, *values]) + " |", flush=True)


class Bench:
    def __init__(self, seconds, pairs):
        self.seconds, self.pairs = seconds, pairs
        self.cluster = Cluster()
        self.gate = install.Gate(self.cluster, ROOT / "tests/e2e/documents")
        self.cluster.namespace(NAMESPACE)
        self.configurations = [self.cluster.admin.get(kind, None, "portcullis").ok().object
                               for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")]
        for each in self.configurations:
            del each["metadata"]["resourceVersion"], each["metadata"]["uid"]

    def gated(self, on):
        """The webhook configurations, there or not."""
        for each in self.configurations:
            if on:
                self.cluster.admin.create(each).ok(201, 409)
            else:
                self.cluster.admin.delete(each["kind"], None, "portcullis").ok(200, 404)
        probe = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "probe-", "namespace": NAMESPACE}}

        def asked():
            annotations = self.cluster.audit(self.cluster.admin.create(probe, dry_run=True).ok()).get("annotations") or {}
            return any("portcullis.dev/" in key for key in annotations)
        wait.until(lambda: asked() == on, 30, "the configurations' change")
        self.cluster.audit_mark()

    def creates(self, replicas=2, wanted=201):
        thing = objects.workload("Deployment", NAMESPACE, replicas=replicas, generateName="bench-")
        done = Load(self.cluster, self.cluster.admin, PATH, thing, c=16, seconds=self.seconds).result()
        wrong = done.other_than(wanted)
        if wrong:
            raise SystemExit(f"not what was asked for: {wrong}")
        self.cluster.audit_mark()
        return done

    def admission(self):
        self.creates()  # warms up
        pairs = []
        for number in range(self.pairs):
            found = {}
            for on in (False, True) if number % 2 == 0 else (True, False):
                self.gated(on)
                found[on] = self.creates()
            pairs.append((found[False], found[True]))
        def middle(values):
            return statistics.median(values)
        bare, with_gate = [p[0]["per_second"] for p in pairs], [p[1]["per_second"] for p in pairs]
        row("dry-run creates", "per second", "p50 ms", "p99 ms")
        row("---", "---", "---", "---")
        for name, index in (("without webhook", 0), ("Portcullis, seven rules", 1)):
            each = [p[index]["by_status"]["201"] for p in pairs]
            row(name, f"{middle([p[index]['per_second'] for p in pairs]):.0f}", f"{middle([e['p50_ms'] for e in each]):.1f}", f"{middle([e['p99_ms'] for e in each]):.1f}")
        print(f"\nquotient, median of {self.pairs} pairs: {middle([w / b for b, w in zip(bare, with_gate)]):.2f}\n")
        self.gated(True)

    def denials(self):
        self.gated(True)
        done = self.creates(replicas=1, wanted=403)
        each = done["by_status"]["403"]
        print(f"denials: {done['per_second']:.0f} a second, p50 {each['p50_ms']:.1f} ms, p99 {each['p99_ms']:.1f} ms\n")

    def close(self):
        self.cluster.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--part", action="append", choices=["admission", "denials"])
    options = parser.parse_args()
    bench = Bench(options.seconds, options.pairs)
    try:
        for part in options.part or ["admission", "denials"]:
            getattr(bench, part)()
    finally:
        bench.close()


if __name__ == "__main__":
    main()
