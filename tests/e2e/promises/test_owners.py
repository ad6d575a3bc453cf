"""An exception for a workload covers what its controllers make of it, and nothing that only says so."""

import pytest

from harness import wait
from harness.objects import TAGGED, container, pod_spec, workload

pytestmark = pytest.mark.core
NAMESPACE = "acme-owned"


@pytest.fixture
def developer(ask):
    return ask.developer(NAMESPACE)


def pods(user):
    return [each for each in user.list("Pod", NAMESPACE) if "deletionTimestamp" not in each["metadata"]]


def test_an_exception_of_a_deployment_covers_its_replica_set_and_pods(ask, developer):
    thing = workload("Deployment", NAMESPACE, pod_spec(container(image=TAGGED)), name="bridge", replicas=2)
    ask.allowed(thing, verb=developer.create)
    wait.until(lambda: len(pods(developer)) == 2, 30, "both pods")
    owned = pods(developer)[0]["metadata"]["ownerReferences"][0]

    # A person who writes the same owner into a pod of their own is not covered.
    forged = workload("Pod", NAMESPACE, pod_spec(container(image=TAGGED)), name="forged", ownerReferences=[owned])
    ask.denied(forged, "image-digest", verb=developer.create)
    developer.delete("Deployment", NAMESPACE, "bridge", propagationPolicy="Foreground").ok()
    wait.until(lambda: not developer.list("Pod", NAMESPACE), 30, "no pod")


def test_one_of_a_cron_job_covers_its_job_and_pods(ask, developer):
    thing = workload("CronJob", NAMESPACE, pod_spec(container(image=TAGGED)), name="nightly")
    thing["spec"]["schedule"] = "* * * * *"
    ask.allowed(thing, verb=developer.create)
    wait.until(lambda: pods(developer), 90, "a pod of the job")
    developer.delete("CronJob", NAMESPACE, "nightly", propagationPolicy="Foreground").ok()
    wait.until(lambda: not developer.list("Job", NAMESPACE), 60, "no job")


def test_another_deployments_pods_are_judged(ask, developer):
    ask.denied(workload("Deployment", NAMESPACE, pod_spec(container(image=TAGGED)), name="bridge-2"), "image-digest", verb=developer.create)
