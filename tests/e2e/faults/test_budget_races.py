"""1,000 concurrent creates against a budget of 500, by three replicas and two API servers: exactly 500 are stored and never
one more at any moment, whatever breaks meanwhile."""

import signal
import time

import pytest

from harness import network, wait
from harness.budget import NAMESPACES, PATH, Budgets, pod, without_namespace
from harness.traffic import Load, Proxy

pytestmark = pytest.mark.faults
HARD = 500
RECLAIM_SECONDS_MAX = 15 * 1.1 + 5 + 60 + 30  # a dead replica's lease and requests, D, and a busy machine


@pytest.fixture(scope="module")
def new_cluster(cluster_with):
    return cluster_with(api_servers=2, etcd="3.6")


@pytest.fixture(scope="module")
def proxies(new_cluster):
    return [Proxy(new_cluster, upstream=number) for number in range(2)]


@pytest.fixture(scope="module")
def budgets(new_cluster, proxies):
    """The replicas reach the two API servers in turn, through proxies that pass everything until told otherwise."""
    def address(where):
        return network.HOST, proxies[hash(where.uid) % 2].port
    return Budgets(new_cluster, {"pods": str(HARD)}, api_address=address)


@pytest.fixture(autouse=True)
def clean(budgets, proxies):
    yield
    for proxy in proxies:
        proxy.rules()
        proxy.mode("pass")
    budgets.clear(RECLAIM_SECONDS_MAX)


def judge(budgets, result, witness, figure, what, others=()):
    seen = witness.stop()
    stored = budgets.stored()
    writes = budgets.writes()
    total = sum(writes.values())
    figure(f"{what}: {result.count(201)} created, {result.count(403)} denied, other {result.other_than(201, 403) or 0} in {result['seconds']} s; stored {stored}, most at "
           f"any moment {seen['most']} ({seen['events']} events); created {result.times(201)}; denied {result.times(403)}; "
           f"{total} writes of the quota ({total / max(1, result['requests']):.2f} an admission), {writes.get(422, 0)} refused by its rules")
    assert seen["most"] <= HARD, "above the budget"
    assert stored <= HARD
    return stored


def fill(budgets, figure):
    """All of the budget can be had again."""
    begun = time.monotonic()

    def full():
        missing = HARD - budgets.stored()
        if missing > 0:
            budgets.race(n=missing, c=min(missing, 50)).result()
        return budgets.stored() == HARD
    wait.until(full, RECLAIM_SECONDS_MAX, f"{HARD} pods", poll=1)
    figure(f"all {HARD} after {time.monotonic() - begun:.0f} s more")


def test_exactly_the_budget_is_stored(budgets, figure):
    witness = budgets.witness()
    result = budgets.race().result()
    stored = judge(budgets, result, witness, figure, "quiet")
    assert stored == HARD and result.count(201) == HARD and result.count(403) == 500, result.other_than(201, 403)


def test_a_replica_killed_in_the_middle(budgets, figure):
    witness = budgets.witness()
    load = budgets.race()
    wait.until(lambda: budgets.stored() > HARD * 0.2, 60, "a fifth of the creates", poll=0.01)
    budgets.gate.pods[0].process.send_signal(signal.SIGKILL)
    judge(budgets, load.result(), witness, figure, "one of three killed")
    witness = budgets.witness()
    fill(budgets, figure)
    assert witness.stop()["most"] <= HARD


def test_a_replica_stopped_and_woken_long_after(budgets, figure):
    """A zombie: its lease is over and its share is reclaimed; what it answers when it wakes changes nothing."""
    witness = budgets.witness()
    load = budgets.race()
    wait.until(lambda: budgets.stored() > HARD * 0.2, 60, "a fifth of the creates", poll=0.01)
    sleeper = budgets.gate.pods[0]
    sleeper.process.send_signal(signal.SIGSTOP)
    try:
        judge(budgets, load.result(), witness, figure, "one of three stopped")
        witness = budgets.witness()
        fill(budgets, figure)
    finally:
        sleeper.process.send_signal(signal.SIGCONT)
    wait.until(lambda: sleeper.ready, 60, "the sleeper again")
    more = budgets.race(n=200, c=50).result()
    assert witness.stop()["most"] <= HARD and more.count(201) == 0, more.other_than(403)


def test_etcd_paused_for_five_seconds(budgets, new_cluster, figure):
    witness = budgets.witness()
    load = budgets.race()
    wait.until(lambda: budgets.stored() > HARD * 0.2, 60, "a fifth of the creates", poll=0.01)
    new_cluster.etcd.signal(signal.SIGSTOP)
    time.sleep(5)  # this is the fault itself
    new_cluster.etcd.signal(signal.SIGCONT)
    woken = time.monotonic()
    one = without_namespace(pod())
    wait.until(lambda: budgets.admin.create(one, namespace=NAMESPACES[0]).status in (201, 403), 30, "a verdict", poll=0.05)
    figure(f"the first verdict {time.monotonic() - woken:.1f} s after etcd woke")
    result = load.result()
    judge(budgets, result, witness, figure, "etcd paused 5 s")
    over = [text for text in (result["by_status"].get("403", {}).get("messages") or {}) if "tenant-budget" not in text]
    assert not over, f"false denials: {over}"
    fill(budgets, figure)


def test_every_tenth_reply_to_a_write_lost(budgets, proxies, figure):
    for proxy in proxies:
        proxy.rules({"method": "PATCH", "path": "tenantquotas", "every": 10, "action": "drop-reply"})
    witness = budgets.witness()
    result = budgets.race().result()
    lost = sum(proxy.counts()["requests"].get("fault drop-reply", 0) for proxy in proxies)
    judge(budgets, result, witness, figure, f"{lost} replies lost")
    assert lost > 0
    for proxy in proxies:
        proxy.rules()
    fill(budgets, figure)


def test_the_watch_cut_every_second(budgets, proxies, figure):
    for proxy in proxies:
        proxy.rules({"watch": True, "path": ".", "action": "cut", "seconds": 1})
        proxy.drop()
    witness = budgets.witness()
    result = budgets.race().result()
    judge(budgets, result, witness, figure, "watches cut every second")
    fill(budgets, figure)


def test_creates_of_a_name_that_exists_leave_no_charge(budgets, figure):
    names = [{**pod(), "metadata": {"name": f"taken-{number}", "namespace": NAMESPACES[0]}} for number in range(20)]
    for each in names:
        budgets.admin.create(each).ok(201)
    budgets.settled(20, 60)
    begun = time.monotonic()
    answers = [budgets.admin.create(each).status for each in names for _ in range(10)]
    at_once = budgets.sums()
    budgets.settled(20, 100)
    figure(f"{answers.count(409)} of {len(answers)} answered 409; reserved at once {at_once[1]}, none after {time.monotonic() - begun:.0f} s; used stayed 20")
    assert set(answers) == {409}


def test_created_and_deleted_near_the_limit(budgets, figure):
    """Churn at 95 % of the budget: never above, and what is freed can be had again."""
    filled = budgets.race(n=int(HARD * 0.95), c=50).result()
    assert filled.count(201) == int(HARD * 0.95), filled.other_than(201)
    budgets.settled(int(HARD * 0.95), 30)
    witness = budgets.witness()
    seconds = 60
    load = Load(budgets.cluster, budgets.admin, PATH, without_namespace(pod()), rate=20, seconds=seconds, places=NAMESPACES)
    deleted = 0
    while load.running():
        if budgets.stored() > HARD * 0.9:
            for namespace in NAMESPACES:
                for each in budgets.admin.list("Pod", namespace, limit=2):
                    budgets.admin.delete("Pod", namespace, each["metadata"]["name"], gracePeriodSeconds=0)
                    deleted += 1
        time.sleep(0.2)  # the pace of the churn
    result = load.result()
    judge(budgets, result, witness, figure, f"churn, {deleted} deleted in {seconds} s")
    assert not result.other_than(201, 403)
