"""tenant-budget: one budget over all of a tenant's namespaces, granted by several replicas together."""

import pytest

from harness import objects, wait
from harness.budget import NAMESPACES, Budgets, document, pod, without_namespace

pytestmark = pytest.mark.core
CPU = 2000  # thousandths, of the whole tenant


@pytest.fixture(scope="module")
def budgets(cluster_with):
    cluster = cluster_with(etcd="3.6")
    return Budgets(cluster, {"requests.cpu": "2", "pods": "20", "requests.storage": "10Gi", "persistentvolumeclaims": "3", "services.loadbalancers": "1", "services": "3"},
                   replicas=2, entries=[
                       {"pattern": "load-*", "environment": "production", "tenancy": "multi-tenant"},
                       {"name": "small", "environment": "production", "tenancy": "multi-tenant", "budget": {"pods": "2"}}])


@pytest.fixture(autouse=True)
def clean(budgets):
    yield
    for namespace in [*NAMESPACES, "small"]:
        for kind in ("Deployment", "ReplicaSet", "Pod", "PersistentVolumeClaim", "Service"):
            for each in budgets.admin.list(kind, namespace):
                budgets.admin.delete(kind, namespace, each["metadata"]["name"], gracePeriodSeconds=0)
    budgets.clear(90)


@pytest.fixture(scope="module")
def developer(budgets):
    budgets.cluster.namespace("small")
    return budgets.cluster.tenant_user("dev@load.example", [*NAMESPACES, "small"])


def create(user, thing, namespace=NAMESPACES[0], **options):
    return user.create(without_namespace(thing), namespace=namespace, **options)


def denied(answer, *words):
    assert answer.status == 403 and "tenant-budget" in answer.message, f"{answer.status} {answer.body!r}"
    for word in words:
        assert word in answer.message, answer.message
    return answer


def test_all_namespaces_of_a_tenant_share_one_budget(budgets, developer):
    for number in range(4):
        create(developer, pod(cpu="500m"), NAMESPACES[number]).ok(201)
    denied(create(developer, pod(cpu="1m"), NAMESPACES[4]), "requests.cpu", "want at most 2")
    budgets.settled(CPU, dimension="requests.cpu")


def test_what_is_deleted_is_free_again(budgets, developer):
    name = create(developer, pod(cpu="2")).ok(201).object["metadata"]["name"]
    denied(create(developer, pod(cpu="1m")), "requests.cpu")
    developer.delete("Pod", NAMESPACES[0], name, gracePeriodSeconds=0).ok()
    wait.until(lambda: create(developer, pod(cpu="2"), NAMESPACES[1]).status == 201, 10, "room again")


def test_a_pod_that_has_ended_counts_no_more(budgets, developer):
    name = create(developer, pod(cpu="2")).ok(201).object["metadata"]["name"]
    budgets.admin.patch("Pod", NAMESPACES[0], name, {"status": {"phase": "Succeeded"}}, subresource="status").ok()
    wait.until(lambda: create(developer, pod(cpu="2"), NAMESPACES[1]).status == 201, 10, "room again")


def test_init_and_sidecar_containers_count_as_kubernetes_counts_them(budgets, developer):
    spec = objects.pod_spec(
        objects.container(resources={"requests": {"cpu": "500m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}}),
        initContainers=[
            objects.container(name="sidecar", restartPolicy="Always", resources={"requests": {"cpu": "300m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}}),
            objects.container(name="first", resources={"requests": {"cpu": "900m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}})])
    create(developer, objects.workload("Pod", NAMESPACES[0], spec, generateName="init-")).ok(201)
    budgets.settled(300 + 900, dimension="requests.cpu")  # the larger of 500 + 300 and 900 + 300


def test_a_dry_run_is_judged_and_charges_nothing(budgets, developer):
    for _ in range(30):
        create(developer, pod(cpu="2"), dry_run=True).ok(201)
    denied(create(developer, pod(cpu="2001m"), dry_run=True), "requests.cpu")
    assert budgets.sums("requests.cpu") == (0, 0)
    assert budgets.writes() == {}
    create(developer, pod(cpu="2")).ok(201)


def test_a_pod_without_a_request_that_the_budget_bounds_is_told_so(budgets, developer):
    bare = objects.workload("Pod", NAMESPACES[0], objects.pod_spec({"name": "odoo", "image": objects.IMAGE}), generateName="bare-")
    denied(create(developer, bare), "spec.containers[0].resources.requests.cpu", "found nothing")


def test_a_resize_is_charged_what_it_adds(budgets, developer):
    name = create(developer, pod(cpu="1")).ok(201).object["metadata"]["name"]

    def resize(cpu):
        body = {"spec": {"containers": [{"name": "odoo", "resources": {"requests": {"cpu": cpu}}}]}}
        return developer.patch("Pod", NAMESPACES[0], name, body, how="strategic", subresource="resize")
    denied(resize("2001m"), "requests.cpu")
    resize("1500m").ok()
    budgets.settled(1500, dimension="requests.cpu")
    denied(create(developer, pod(cpu="501m")), "requests.cpu")
    create(developer, pod(cpu="500m")).ok(201)


def claim(size, **more):
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"generateName": "data-"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **more}}


def test_claims_count_by_size_and_by_number(budgets, developer):
    create(developer, claim("6Gi"), NAMESPACES[0]).ok(201)
    denied(create(developer, claim("5Gi"), NAMESPACES[1]), "requests.storage")
    create(developer, claim("1Gi"), NAMESPACES[1]).ok(201)
    create(developer, claim("1Gi"), NAMESPACES[2]).ok(201)
    denied(create(developer, claim("1Gi"), NAMESPACES[3]), "persistentvolumeclaims")


def service(**spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"generateName": "web-"}, "spec": {"ports": [{"port": 80}], **spec}}


def test_services_count_by_type(budgets, developer):
    create(developer, service(type="LoadBalancer"), NAMESPACES[0]).ok(201)
    denied(create(developer, service(type="LoadBalancer"), NAMESPACES[1]), "services.loadbalancers")
    name = create(developer, service(), NAMESPACES[1]).ok(201).object["metadata"]["name"]
    denied(developer.patch("Service", NAMESPACES[1], name, {"spec": {"type": "LoadBalancer"}}), "services.loadbalancers")
    create(developer, service(), NAMESPACES[2]).ok(201)
    denied(create(developer, service(), NAMESPACES[3]), "found services 1 more")


def test_an_entry_has_a_budget_of_its_own(budgets, developer):
    for _ in range(2):
        create(developer, pod(), "small").ok(201)
    denied(create(developer, pod(), "small"), "small")
    create(developer, pod(), NAMESPACES[0]).ok(201)


def test_a_pod_that_never_appears_gives_its_share_back(budgets, developer):
    """A ResourceQuota, asked after us, refuses what we have let in."""
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": NAMESPACES[0]}, "spec": {"hard": {"count/pods": "0"}}}
    budgets.admin.create(quota).ok(201)
    wait.until(lambda: "status" in budgets.admin.get("ResourceQuota", NAMESPACES[0], "none").object and
               budgets.admin.get("ResourceQuota", NAMESPACES[0], "none").object["status"].get("hard"), 20, "the ResourceQuota's status")
    answer = create(developer, pod(cpu="2"))
    assert answer.status == 403 and "exceeded quota" in answer.message, answer.body
    assert budgets.sums("requests.cpu")[1] == CPU
    budgets.admin.delete("ResourceQuota", NAMESPACES[0], "none").ok()
    budgets.settled(0, 90, "requests.cpu")
    create(developer, pod(cpu="2"), NAMESPACES[1]).ok(201)


def test_a_deployment_that_cannot_fit_is_warned_about_when_it_is_made(budgets, developer):
    template = pod(cpu="500m")["spec"]
    thing = objects.workload("Deployment", NAMESPACES[0], template, name="large", replicas=10)
    answer = developer.create(thing).ok(201)
    assert any("tenant-budget" in each and "requests.cpu" in each for each in answer.warnings), answer.warnings
    wait.until(lambda: len(budgets.admin.list("Pod", NAMESPACES[0])) == 4, 30, "as many pods as fit")
    budgets.settled(CPU, dimension="requests.cpu")


def test_a_controllers_pods_are_charged_like_anybodys(budgets, developer):
    create(developer, pod(cpu="1500m"), NAMESPACES[1]).ok(201)
    developer.create(objects.workload("Deployment", NAMESPACES[0], pod(cpu="500m")["spec"], name="web", replicas=2)).ok(201)
    wait.until(lambda: len(budgets.admin.list("Pod", NAMESPACES[0])) == 1, 20, "one pod that fits")

    def refused():
        conditions = [each for rs in budgets.admin.list("ReplicaSet", NAMESPACES[0]) for each in rs["status"].get("conditions") or []]
        return [each for each in conditions if each["type"] == "ReplicaFailure" and "tenant-budget" in each["message"]]
    wait.until(refused, 20, "the ReplicaSet to say why")


def test_a_scale_that_cannot_fit_warns(budgets, developer):
    developer.create(objects.workload("Deployment", NAMESPACES[0], pod(cpu="500m")["spec"], name="scaled", replicas=1)).ok(201)

    def scaled_to(replicas):
        scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "scaled", "namespace": NAMESPACES[0]}, "spec": {"replicas": replicas}}
        return developer.request("PUT", f"/apis/apps/v1/namespaces/{NAMESPACES[0]}/deployments/scaled/scale", scale).ok()

    def warned():
        """A replica of the gate knows the Deployment when its watch has brought it."""
        scaled_to(1)
        return any("tenant-budget" in each and "requests.cpu" in each for each in scaled_to(9).warnings)
    wait.until(warned, 20, "a warning of tenant-budget")
    assert not any("tenant-budget" in each for each in scaled_to(2).warnings), "scaling down needs no room"


def test_an_autoscaler_whose_pods_never_fit_warns(budgets, developer):
    """Of either version; by the template of what it scales. Nothing is stored: the autoscaler is only tried."""
    developer.create(objects.workload("Deployment", NAMESPACES[0], pod(cpu="500m")["spec"], name="scaled", replicas=1)).ok(201)

    def warnings(maximum, target="scaled", version="v2"):
        thing = {"apiVersion": f"autoscaling/{version}", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "scaled", "namespace": NAMESPACES[0]},
                 "spec": {"maxReplicas": maximum, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}}}
        path = f"/apis/autoscaling/{version}/namespaces/{NAMESPACES[0]}/horizontalpodautoscalers?dryRun=All"
        return [each for each in developer.request("POST", path, thing).ok(201).warnings if "tenant-budget" in each]
    wait.until(lambda: warnings(5), 20, "a warning of tenant-budget")  # a replica of the gate knows the Deployment by its watch
    wait.until(lambda: all("5 pods of Deployment `scaled` with at least requests.cpu 2.5 in all" in "".join(warnings(5, version=version))
                           for version in ("v1", "v2") for _ in range(5)), 20, "every replica's warning, of both versions")
    assert "set it to 4 or less" in warnings(5)[0]
    assert warnings(4) == []
    assert warnings(50, target="nobody") == []


def test_nobody_but_the_ledger_writes_the_status(budgets):
    """The status is the lock: not even who may edit budgets writes it."""
    editor = budgets.cluster.user("editor@hoster.example", ["platform"])
    quota = budgets.quota()
    editor.patch("TenantQuota", None, "load", {"metadata": {"labels": {"seen": "yes"}}}).ok()
    answer = editor.patch("TenantQuota", None, "load", {"status": {"holds": {"mine": {"granted": {}, "released": {}, "asOf": {}, "rv": {}, "used": {}}}}}, subresource="status")
    assert answer.status == 403, answer.body
    assert quota["spec"]["hard"]["pods"] == 20


def test_the_quota_shows_hard_used_and_reserved(budgets, developer):
    create(developer, pod(cpu="500m")).ok(201)
    budgets.settled(500, dimension="requests.cpu")

    def shown():
        return budgets.cluster.kubectl("get", "tenantquotas").stdout
    wait.until(lambda: "load" in shown() and "500" in shown().split("\n")[1], 10, "the usage in kubectl get")
    summary = budgets.quota()["status"]["summary"]
    assert "requests.cpu" in summary["hard"] and "requests.cpu" in summary["used"], summary


def test_a_limit_lowered_below_what_is_used_denies_more_and_deletes_nothing(budgets, developer):
    create(developer, pod(cpu="1500m")).ok(201)
    budgets.settled(1500, dimension="requests.cpu")
    lowered = {name: [each for each in content] for name, content in budgets.documents.items()}
    content = lowered["budget.yaml"]
    tenant = content[1]
    content[1] = document("Tenant", "load", **{**tenant["spec"], "budget": {**tenant["spec"]["budget"], "requests.cpu": "1"}})
    budgets.gate.change(lowered)
    try:
        denied(create(developer, pod(cpu="100m")), "requests.cpu")
        assert budgets.stored() == 1
    finally:
        budgets.gate.change(budgets.documents)
    create(developer, pod(cpu="500m")).ok(201)
