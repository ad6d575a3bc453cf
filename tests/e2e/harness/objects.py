"""Kubernetes objects for tests: small, valid for the API server, and clean unless a test spoils them."""

import copy

IMAGE = "registry.hoster.example/odoo/server@sha256:" + "5" * 64
TAGGED = "registry.hoster.example/odoo/server:17.0"
RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
VERSIONS = {"Pod": "v1", "ReplicationController": "v1", "PodTemplate": "v1", "Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1",
            "ReplicaSet": "apps/v1", "Job": "batch/v1", "CronJob": "batch/v1"}
WORKLOADS = tuple(VERSIONS)


def container(name="odoo", image=IMAGE, **more):
    return {"name": name, "image": image, "resources": copy.deepcopy(RESOURCES), **more}


def anti_affinity(name, topology="kubernetes.io/hostname"):
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": name}}, "topologyKey": topology}]}}


def pod_spec(*containers, **more):
    return {"containers": list(containers) or [container()], **more}


def workload(kind, namespace, spec=None, name="odoo", replicas=2, **metadata):
    """A workload of any kind around one pod spec."""
    spec = copy.deepcopy(spec if spec is not None else pod_spec(affinity=anti_affinity(name)))
    metadata = {"namespace": namespace, **({} if "generateName" in metadata else {"name": name}), **metadata}
    top = {"apiVersion": VERSIONS[kind], "kind": kind, "metadata": metadata}
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    if kind == "Pod":
        top["metadata"].setdefault("labels", {"app": name})
        return {**top, "spec": spec}
    if kind == "PodTemplate":
        return {**top, "template": template}
    if kind in ("Job", "CronJob"):
        template["spec"] = {"restartPolicy": "Never", **spec}
    if kind == "CronJob":
        return {**top, "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}}
    if kind == "Job":
        return {**top, "spec": {"template": template}}
    found = {**top, "spec": {"selector": {"app": name} if kind == "ReplicationController" else {"matchLabels": {"app": name}}, "template": template}}
    if kind != "DaemonSet":
        found["spec"]["replicas"] = replicas
    if kind == "StatefulSet":
        found["spec"]["serviceName"] = name
    return found


def config_map(namespace, data, name="odoo", **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, **metadata}, "data": data}
