import pytest

from harness import objects
from harness.objects import IMAGE, TAGGED, container, pod_spec, workload

pytestmark = pytest.mark.core


def of(kind, image):
    return workload(kind, "acme-digest", pod_spec(container(image=image)), generateName="odoo-")


@pytest.mark.parametrize("kind", objects.WORKLOADS)
def test_every_workload_kind_is_judged(ask, kind):
    ask.denied(of(kind, TAGGED), "image-digest")
    ask.allowed(of(kind, IMAGE), dry_run=True)
