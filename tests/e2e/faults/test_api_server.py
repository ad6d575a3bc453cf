"""An API server that is slow, gone, refuses, lies or has forgotten: the gate asks it seldom, judges by what it knows only for as
long as it says it does, and is itself again within seconds.

The proxy stands between the replicas and the API server; users reach the API server directly, so that what they see is the
gate's doing alone.
"""

import json
import time

import pytest

from harness import network, wait
from harness.budget import NAMESPACES, Budgets, pod, without_namespace
from harness.traffic import Proxy

pytestmark = pytest.mark.faults
FAULT_SECONDS = 20
HEAL_SECONDS_MAX = 5
REQUESTS_PER_SECOND_MAX = 30   # of both replicas together, over the time of the fault: one for each thing they watch
FACTS_AGE_MAX = 150            # what the program states


@pytest.fixture(scope="module")
def new_cluster(cluster_with):
    return cluster_with(etcd="3.6")


@pytest.fixture(scope="module")
def proxy(new_cluster):
    return Proxy(new_cluster)


@pytest.fixture(scope="module")
def budgets(new_cluster, proxy):
    return Budgets(new_cluster, {"pods": "50"}, replicas=2, api_address=lambda where: (network.HOST, proxy.port),
                   rules=[{"id": "image-registry", "with": {"allow": ["registry.hoster.example/**"]}}])


@pytest.fixture(scope="module")
def old_list(budgets):
    """What the API server said of pods before all of this."""
    return json.dumps(budgets.admin.get("Pod").ok().object)


@pytest.fixture(autouse=True)
def clean(budgets, proxy):
    yield
    proxy.rules()
    proxy.mode("pass")
    budgets.clear(120)


def create(budgets, image=None):
    thing = without_namespace(pod())
    if image:
        thing["spec"]["containers"][0]["image"] = image
    return budgets.admin.create(thing, namespace=NAMESPACES[0])


FAULTS = {
    "refused": ("refuse", []),
    "blackholed": ("stall", []),
    "slow": ("pass", [{"path": ".", "action": "delay", "seconds": 2}]),
    "429": ("pass", [{"path": ".", "action": "status", "status": 429, "retry": "1"}]),
    "500": ("pass", [{"path": ".", "action": "status", "status": 500}]),
    "410": ("pass", [{"method": "GET", "path": ".", "action": "status", "status": 410}]),
    "garbage": ("pass", [{"path": ".", "action": "garbage"}]),
    "watches cut": ("pass", [{"watch": True, "path": ".", "action": "cut", "seconds": 0.2}]),
    "replies lost": ("pass", [{"watch": False, "path": ".", "action": "drop-reply"}]),
}


@pytest.mark.parametrize("name", [*FAULTS, "older than before"])
def test_no_hot_loop_no_wrong_verdict_and_healed_at_once(budgets, proxy, old_list, figure, name):
    create(budgets).ok(201)
    budgets.settled(1)
    proxy.reset()
    if name == "older than before":
        proxy.rules({"method": "GET", "watch": False, "path": "^/api/v1/pods", "action": "body", "status": 200, "body": old_list},
                    {"watch": True, "path": "^/api/v1/pods", "action": "silence"})
        proxy.drop()
    else:
        mode, rules = FAULTS[name]
        proxy.rules(*rules)
        proxy.mode(mode)
        if mode == "pass":
            proxy.drop()
    begun, statuses = time.monotonic(), {}
    while time.monotonic() - begun < FAULT_SECONDS:
        # What needs no fact is judged as ever. What cannot be known is an error, never a denial.
        assert create(budgets, image="docker.io/library/odoo:17").status == 403
        status = create(budgets).status
        assert status in (201, 500, 503, 504), status
        statuses[status] = statuses.get(status, 0) + 1
        time.sleep(0.5)  # a user's pace
    counts = proxy.counts()
    proxy.rules()
    proxy.mode("pass")
    if name == "older than before":
        proxy.drop()  # its watches would stay silent for as long as they were asked for
    healing = time.monotonic()
    wait.until(lambda: create(budgets).status == 201, 90, "a pod that is let in", poll=0.1)
    healed = time.monotonic() - healing
    budgets.settled(budgets.stored(), 60)
    requests = counts["requests"].get("all", 0)
    figure(f"{name}: {requests / FAULT_SECONDS:.1f} requests and {counts['dials'] / FAULT_SECONDS:.1f} connections a second of both replicas, at most "
           f"{counts['peak_per_second']} in one; creates meanwhile {statuses}; healed after {healed:.1f} s, settled after {time.monotonic() - healing:.1f} s")
    assert requests / FAULT_SECONDS < REQUESTS_PER_SECOND_MAX + 4 * sum(statuses.values()) / FAULT_SECONDS
    assert counts["dials"] / FAULT_SECONDS < REQUESTS_PER_SECOND_MAX
    assert healed < HEAL_SECONDS_MAX


def test_what_is_known_is_used_for_as_long_as_stated_and_no_longer(budgets, proxy, figure):
    """A dry run is judged by what is known of usage; once that is older than the stated age, the policy's failure mode decides."""
    thing = without_namespace(pod())
    assert budgets.admin.create(thing, namespace=NAMESPACES[0], dry_run=True).status == 201
    proxy.mode("stall")
    begun = time.monotonic()
    wait.until(lambda: budgets.admin.create(thing, namespace=NAMESPACES[0], dry_run=True).status != 201, FACTS_AGE_MAX + 60, "the failure mode", poll=1)
    lasted = time.monotonic() - begun
    answer = budgets.admin.create(thing, namespace=NAMESPACES[0], dry_run=True)
    assert answer.status in (500, 503), answer.body
    assert all(pod.ready for pod in budgets.gate.pods), "replicas stay ready: what needs no fact is still judged"
    proxy.mode("pass")
    healing = time.monotonic()
    wait.until(lambda: budgets.admin.create(thing, namespace=NAMESPACES[0], dry_run=True).status == 201, 60, "facts again", poll=0.1)
    healed = time.monotonic() - healing
    figure(f"facts were used for {lasted:.0f} s without news (stated: {FACTS_AGE_MAX} s), then HTTP {answer.status}; known again after {healed:.1f} s")
    assert lasted <= FACTS_AGE_MAX + 10
    assert healed < 20, "long before the next bookmark"


def test_no_replica_is_ready_before_it_knows_what_it_needs(budgets, proxy, figure):
    proxy.rules({"path": "^/api/v1/pods", "action": "hang"})
    victim = budgets.gate.pods[0]
    budgets.admin.delete("Pod", "portcullis-system", victim.name, gracePeriodSeconds=1).ok()

    known = {each.uid for each in budgets.gate.pods}
    fresh = wait.until(lambda: next((each for each in budgets.gate.pods if each.uid not in known and each.process is not None), None), 60, "a new replica")
    begun, seen = time.monotonic(), set()
    while time.monotonic() - begun < 10:
        try:
            seen.add(fresh.get("/readyz")[0])
        except OSError:
            seen.add("not listening")
        assert not fresh.ready
        time.sleep(0.1)
    assert seen <= {503, "not listening"} and 503 in seen, seen
    proxy.rules()
    proxy.drop()
    healing = time.monotonic()
    wait.until(lambda: fresh.ready, 60, "the new replica ready")
    figure(f"for 10 s without a list of pods never ready; ready {time.monotonic() - healing:.1f} s after it could be had")
