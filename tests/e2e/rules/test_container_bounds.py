"""container-bounds: denied, and mended where the policy says so; `resize` of a running pod too."""

import pytest

from harness.objects import IMAGE, container, pod_spec, workload

pytestmark = pytest.mark.core


def test_a_container_without_bounds_is_denied(ask):
    answer = ask.denied(workload("Deployment", "acme-bounds", pod_spec(container(resources={})), generateName="odoo-"), "container-bounds")
    assert {cause["field"].rsplit(".resources.", 1)[1] for cause in answer.causes} == {"requests.cpu", "requests.memory", "limits.memory"}


def test_a_limit_above_the_largest_is_denied(ask):
    large = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "4097Mi"}}
    ask.denied(workload("Deployment", "acme-bounds", pod_spec(container(resources=large)), generateName="odoo-"), "container-bounds",
               field="spec.template.spec.containers[0].resources.limits.memory")
    ask.allowed(workload("Deployment", "acme-bounds", generateName="odoo-"), dry_run=True)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Pod", "CronJob", "Job"])
def test_defaults_are_written_into_what_is_stored(ask, kind):
    bare = workload(kind, "acme-mended", pod_spec({"name": "odoo", "image": IMAGE}), generateName="odoo-")
    stored = ask.allowed(bare, dry_run=True).object
    spec = stored["spec"]
    if kind == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    if kind != "Pod":
        spec = spec["template"]["spec"]
    assert spec["containers"][0]["resources"] == {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}


def test_a_resize_of_a_running_pod_is_judged(ask, cluster):
    developer = ask.developer("acme-bounds")
    developer.create(workload("Pod", "acme-bounds", pod_spec(container()), name="resized")).ok(201)
    live = developer.get("Pod", "acme-bounds", "resized").ok().object
    live["spec"]["containers"][0]["resources"]["limits"]["memory"] = "5Gi"

    def put(thing):
        return developer.replace(thing, subresource="resize")
    ask.denied(live, "container-bounds", verb=put, field="spec.containers[0].resources.limits.memory")
    live["spec"]["containers"][0]["resources"]["limits"]["memory"] = "1Gi"
    ask.allowed(live, verb=put)
    developer.delete("Pod", "acme-bounds", "resized").ok()
