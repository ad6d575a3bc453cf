"""etcd restored from a backup under replicas that live on: by what they know of the lost time they grant nothing, and after a
restart of theirs the gate grants what there is."""

import shutil
import signal
import time

import pytest

from harness import wait
from harness.budget import NAMESPACES, Budgets, pod, without_namespace

pytestmark = pytest.mark.faults
HARD = 20
STOPPED_SECONDS = 20       # docs/budgets.md: so long no API server runs while etcd is restored
STALE_SECONDS_MAX = 120    # a silent watch is looked into after 90 s
AGAIN_SECONDS_MAX = 120    # docs/budgets.md: a restart, and what dead replicas had reserved


@pytest.fixture(scope="module")
def new_cluster(cluster_with):
    return cluster_with(etcd="3.6")


@pytest.fixture(scope="module")
def budgets(new_cluster):
    return Budgets(new_cluster, {"pods": str(HARD)}, replicas=2)


def back_up(cluster):
    """A disk's snapshot of etcd's data."""
    cluster.etcd.signal(signal.SIGSTOP)
    try:
        shutil.copytree(cluster.dir / "etcd", cluster.dir / "backup")
    finally:
        cluster.etcd.signal(signal.SIGCONT)


def restore(cluster):
    """As Kubernetes wants it: API servers are stopped before, controllers are started anew."""
    for process in (cluster.controller_manager, cluster.api_servers[0], cluster.etcd):
        process.kill()
    shutil.rmtree(cluster.dir / "etcd")
    (cluster.dir / "backup").rename(cluster.dir / "etcd")
    time.sleep(STOPPED_SECONDS)  # this is what the documentation asks for
    cluster.etcd.start()
    cluster.api_servers[0].start()
    wait.until(lambda: cluster.is_ready(cluster.admin), 60, "the API server again")
    cluster.controller_manager.start()


def create(budgets):
    return budgets.admin.create(without_namespace(pod()), namespace=NAMESPACES[0])


def test_nothing_is_granted_by_a_future_that_is_lost(budgets, new_cluster, figure):
    admin = budgets.admin
    assert budgets.race(n=HARD, c=5).result().count(201) == HARD
    budgets.settled(HARD)
    back_up(new_cluster)
    budgets.clear()  # what the replicas know from now on: all of the budget is free

    restore(new_cluster)
    assert budgets.stored() == HARD
    witness = budgets.witness()
    begun, statuses = time.monotonic(), {}
    while time.monotonic() - begun < STALE_SECONDS_MAX:
        status = create(budgets).status
        statuses[status] = statuses.get(status, 0) + 1
        assert budgets.stored() <= HARD, statuses
        time.sleep(0.5)  # a user's pace
    assert 201 not in statuses, statuses
    revision = int(admin.get("Pod", limit=1).ok().object["metadata"]["resourceVersion"])
    published = [rv for hold in budgets.quota()["status"]["holds"].values() for rv in hold["rv"].values()]
    assert all(rv <= revision for rv in published), f"a view of {max(published)} at {revision}"

    begun = time.monotonic()
    new_cluster.kubectl("-n", "portcullis-system", "rollout", "restart", "deployment/portcullis-webhook")
    new_cluster.kubectl("-n", "portcullis-system", "rollout", "status", "deployment/portcullis-webhook", "--timeout=120s")
    restarted = time.monotonic() - begun
    full = create(budgets)
    assert full.status == 403 and "tenant-budget" in full.message, full.body
    place = next(each for each in NAMESPACES if admin.list("Pod", each))
    admin.delete("Pod", place, admin.list("Pod", place)[0]["metadata"]["name"], gracePeriodSeconds=0).ok()
    wait.until(lambda: create(budgets).status == 201, AGAIN_SECONDS_MAX, "a pod that fits", poll=0.2)
    again = time.monotonic() - begun
    assert witness.stop()["most"] <= HARD and budgets.stored() == HARD
    figure(f"after the restore, for {STALE_SECONDS_MAX} s {statuses}, never above {HARD}; restarted in {restarted:.0f} s, a pod that fits was let in "
           f"{again:.0f} s after the restart began")
