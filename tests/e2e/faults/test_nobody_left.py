"""Everything down at once: what is refused, what still goes, and that a cluster which starts again is not locked out by its gate."""

import signal
import time

import pytest

from harness import install, wait
from harness.objects import TAGGED, container, pod_spec, workload

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def gate(new_cluster, documents):
    return install.Gate(new_cluster, documents)


def test_all_replicas_dead_and_the_cluster_restarted(new_cluster, gate, figure):
    admin = new_cluster.admin
    new_cluster.namespace("acme-digest")
    good, bad = workload("Deployment", "acme-digest", replicas=0, generateName="a-"), workload("Deployment", "acme-digest", pod_spec(container(image=TAGGED)), generateName="b-")
    assert admin.create(good).status == 201 and admin.create(bad).status == 403

    for pod in gate.pods:
        pod.hold = True
        pod.process.send_signal(signal.SIGKILL)
    refused = admin.create(good)
    assert refused.status == 500 and "failed calling webhook" in refused.message, refused.body
    assert admin.create(workload("Deployment", "portcullis-system", replicas=0, name="repair")).status == 201  # the gate can always be repaired

    new_cluster.controller_manager.kill()
    new_cluster.api_servers[0].kill()
    new_cluster.etcd.kill()
    begun = time.monotonic()
    new_cluster.etcd.start()
    new_cluster.api_servers[0].start()
    wait.until(lambda: new_cluster.is_ready(admin), 60, "the API server again")
    new_cluster.controller_manager.start()
    up = time.monotonic()
    for pod in list(gate.kubelet.pods.values()):
        pod.hold = False
    gate.wait_ready()
    wait.until(lambda: admin.create(good).status == 201, 30, "a good create")
    assert admin.create(bad).status == 403
    figure(f"API server back after {up - begun:.1f} s, the gate judging again {time.monotonic() - up:.1f} s later")
