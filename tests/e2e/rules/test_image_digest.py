"""image-digest: every kind of workload, and both doors into a running pod."""

import pytest

from harness import objects
from harness.objects import IMAGE, TAGGED, container, pod_spec, workload

pytestmark = pytest.mark.core
NAMESPACE = "acme-digest"


def of(kind, image, **metadata):
    return workload(kind, NAMESPACE, pod_spec(container(image=image)), **(metadata or {"generateName": "odoo-"}))


@pytest.mark.parametrize("kind", objects.WORKLOADS)
def test_every_workload_kind_is_judged(ask, kind):
    answer = ask.denied(of(kind, TAGGED), "image-digest")
    assert answer.causes[0]["field"].endswith("containers[0].image")
    assert TAGGED in answer.message
    ask.allowed(of(kind, IMAGE), dry_run=True)


def test_an_update_that_keeps_an_old_flaw_warns_and_one_that_makes_it_worse_is_denied(ask, cluster):
    """The flaw is older than the policy: it came while the namespace was not judged."""
    developer = ask.developer("acme-before")
    old = workload("Deployment", "acme-before", pod_spec(container(image=TAGGED)), name="old", replicas=0)
    developer.create(old).ok(201)
    with ask.policy("Policy", "before", match={"namespaces": ["acme-before"]}, rules=[{"id": "image-digest", "with": {"require": "digest"}}]):
        live = developer.get("Deployment", "acme-before", "old").ok().object
        live["metadata"]["labels"] = {"touched": "yes"}
        answer = ask.allowed(live, verb=developer.replace, warnings=1)
        assert "image-digest" in answer.warnings[0] and answer.warnings[0].isascii()
        live = answer.object
        live["spec"]["template"]["spec"]["containers"][0]["image"] = TAGGED + ".1"
        ask.denied(live, "image-digest", verb=developer.replace)
    developer.delete("Deployment", "acme-before", "old").ok()


def test_an_ephemeral_container_is_judged(ask, cluster):
    developer = ask.developer(NAMESPACE)
    developer.create(of("Pod", IMAGE, name="debugged")).ok(201)
    live = developer.get("Pod", NAMESPACE, "debugged").ok().object
    live["spec"]["ephemeralContainers"] = [{"name": "debug", "image": "docker.io/library/busybox:1"}]

    def put(thing):
        return developer.replace(thing, subresource="ephemeralcontainers")
    ask.denied(live, "image-digest", verb=put, field="spec.ephemeralContainers[0].image")
    live["spec"]["ephemeralContainers"][0]["image"] = IMAGE
    ask.allowed(live, verb=put)
    developer.delete("Pod", NAMESPACE, "debugged").ok()


def test_warn_is_shown_to_the_user_and_audit_is_not(ask, gate):
    warned = workload("Deployment", "acme-warned", pod_spec(container(image=TAGGED)), generateName="odoo-")
    answer = ask.allowed(warned, warnings=1, dry_run=True)
    assert "image-digest" in answer.warnings[0]
    audited = workload("Deployment", "acme-audited", pod_spec(container(image=TAGGED)), generateName="odoo-")
    answer = ask.allowed(audited, dry_run=True)
    assert ask.annotations(answer)["findings"] == "image-digest"


def test_a_developer_reads_the_denial_in_kubectl(ask, cluster):
    ask.developer(NAMESPACE)
    done = cluster.kubectl("-n", NAMESPACE, "create", "deployment", "web", "--image", TAGGED, user="dev@acme.example", check=False)
    assert done.returncode == 1
    assert "denied the request: image-digest: image without digest at spec.template.spec.containers[0].image" in done.stderr
    assert f"found `{TAGGED}`" in done.stderr
