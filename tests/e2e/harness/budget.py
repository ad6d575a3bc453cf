"""A tenant with a budget, three replicas and two API servers: what the tests of budgets share.

The witness is not us: it sums what is stored after every event of its own watch. The audit log says how many writes the
ledger needed.
"""

from . import install, objects, wait
from .traffic import Load, Witness

TENANT = "load"
NAMESPACES = [f"load-{number}" for number in range(1, 6)]
PATH = "/api/v1/namespaces/{{P}}/pods"


def document(kind, name, **spec):
    return {"apiVersion": "portcullis.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def documents(budget, entries=(), rules=(), **tenant):
    """One tenant with `budget`, whose pods are judged by tenant-budget alone."""
    namespaces = list(entries) or [{"pattern": "load-*", "environment": "production", "tenancy": "multi-tenant"}]
    return {"budget.yaml": [
        document("Platform", "hoster", systemNamespaces=["kube-system", "kube-public", "kube-node-lease", "portcullis-system", "default"],
                 environments=["production"], unknownNamespace="allow"),
        document("Tenant", TENANT, tier=1, timeZone="Europe/Zurich", namespaces=namespaces, budget=budget, **tenant),
        document("Policy", "budgets", rules=[{"id": "tenant-budget"}, *rules])]}


def pod(cpu="10m", **metadata):
    return objects.workload("Pod", "load-1", objects.pod_spec(objects.container(resources={
        "requests": {"cpu": cpu, "memory": "16Mi"}, "limits": {"memory": "16Mi"}})), name="web", **(metadata or {"generateName": "web-"}))


def without_namespace(thing):
    return {**thing, "metadata": {key: value for key, value in thing["metadata"].items() if key != "namespace"}}


class Budgets:
    """The gate with a budget in it."""

    def __init__(self, cluster, budget, replicas=3, api_address=None, **more):
        self.cluster, self.admin = cluster, cluster.admin
        self.documents = documents(budget, **more)
        self.gate = install.Gate(cluster, self.documents, replicas=replicas, api_address=api_address)
        for namespace in NAMESPACES:
            cluster.namespace(namespace)

    def quota(self, tenant=TENANT):
        return self.admin.get("TenantQuota", None, tenant).ok().object

    def sums(self, dimension="pods"):
        """(used by the newest view, granted and not released) as the status says now."""
        holds = (self.quota().get("status") or {}).get("holds") or {}
        newest = max((each["rv"].get(dimension, 0) for each in holds.values()), default=0)
        used = max((each["used"].get(dimension, 0) for each in holds.values() if each["rv"].get(dimension, 0) == newest), default=0)
        return used, sum(each["granted"].get(dimension, 0) - each["released"].get(dimension, 0) for each in holds.values())

    def stored(self):
        return sum(len(self.admin.list("Pod", namespace)) for namespace in NAMESPACES)

    def settled(self, used=0, seconds=30, dimension="pods"):
        wait.until(lambda: self.sums(dimension) == (used, 0), seconds, f"a settled quota with {used} used; now {self.sums(dimension)}")

    def clear(self, seconds=150):
        """Deletes every pod, and waits until nothing is used or reserved."""
        for namespace in NAMESPACES:
            self.admin.request("DELETE", f"/api/v1/namespaces/{namespace}/pods?gracePeriodSeconds=0").ok()
        wait.until(lambda: self.stored() == 0, 60, "no pod")
        self.settled(0, seconds)
        self.cluster.audit_mark()

    def race(self, n=1000, c=1000, **more):
        return Load(self.cluster, self.admin, PATH, without_namespace(pod()), n=n, c=c, places=NAMESPACES, **more)

    def witness(self, measure="count"):
        return Witness(self.admin, [f"{TENANT}-"], measure=measure)

    def writes(self):
        """{HTTP status: how many} of all writes of TenantQuota statuses since the last mark."""
        found = {}
        for event in self.cluster.audit_events():
            reference = event.get("objectRef") or {}
            if event["verb"] == "patch" and reference.get("resource") == "tenantquotas" and event["stage"] == "ResponseComplete":
                code = event["responseStatus"]["code"]
                found[code] = found.get(code, 0) + 1
        return found
