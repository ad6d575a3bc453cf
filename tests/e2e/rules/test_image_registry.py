"""image-registry: also for init containers and images that are volumes."""

import pytest

from harness.objects import TAGGED, container, pod_spec, workload

pytestmark = pytest.mark.core


def of(spec):
    return workload("Deployment", "acme-registry", spec, generateName="odoo-")


@pytest.mark.parametrize("image", ["odoo:17.0", "docker.io/acme/odoo:17", "registry.hoster.example.evil.example/odoo/server:17", "registry.hoster.example/other/odoo:17"])
def test_an_image_from_elsewhere_is_denied(ask, image):
    ask.denied(of(pod_spec(container(image=image))), "image-registry", field="spec.template.spec.containers[0].image")


def test_an_image_of_the_hoster_is_let_in(ask):
    ask.allowed(of(pod_spec(container(image=TAGGED))), dry_run=True)


def test_init_containers_and_image_volumes_count(ask):
    spec = pod_spec(container(image=TAGGED), initContainers=[container(name="first", image="ghcr.io/acme/fetch:2")],
                    volumes=[{"name": "addons", "image": {"reference": "quay.io/acme/addons:17"}}])
    answer = ask.denied(of(spec), "image-registry")
    assert {cause["field"] for cause in answer.causes} == {
        "spec.template.spec.initContainers[0].image", "spec.template.spec.volumes[0].image.reference"}
