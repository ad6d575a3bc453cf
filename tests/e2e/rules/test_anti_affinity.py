"""anti-affinity: a term that works is wanted, and written where the policy says so."""

import pytest

from harness.objects import anti_affinity, container, pod_spec, workload

pytestmark = pytest.mark.core


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"])
def test_replicas_that_may_share_a_node_are_denied(ask, kind):
    ask.denied(workload(kind, "acme-apart", pod_spec(container()), generateName="odoo-"), "anti-affinity")
    ask.denied(workload(kind, "acme-apart", pod_spec(container(), affinity=anti_affinity("somebody-else")), generateName="odoo-"), "anti-affinity")
    ask.allowed(workload(kind, "acme-apart", generateName="odoo-"), dry_run=True)


def test_a_missing_term_is_written_into_what_is_stored(ask):
    stored = ask.allowed(workload("StatefulSet", "acme-mended", pod_spec(container()), generateName="odoo-"), dry_run=True).object
    terms = stored["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert terms == [{"labelSelector": {"matchLabels": {"app": "odoo"}}, "topologyKey": "kubernetes.io/hostname"}]


def test_what_is_mended_once_is_not_touched_again(ask):
    """Applying the same manifest twice must not start a roll-out."""
    developer = ask.developer("acme-mended")
    thing = workload("Deployment", "acme-mended", pod_spec(container()), name="twice", replicas=0)
    developer.create(thing).ok(201)
    generation = developer.get("Deployment", "acme-mended", "twice").ok().object["metadata"]["generation"]

    def patch(body):
        return developer.patch("Deployment", "acme-mended", "twice", body, how="strategic")
    stored = ask.allowed(thing, verb=patch).object
    assert stored["metadata"]["generation"] == generation
    developer.delete("Deployment", "acme-mended", "twice").ok()
