"""Objects that use budgets, made at random from a seed: pods with every kind of container, resizes under way, pod-level
resources, overhead, ends of life; claims; services; and things that are only counted."""

import random

NOW = 1_764_000_000
NOW_TEXT_BEFORE, NOW_TEXT_AFTER = "2025-11-24T15:00:00Z", "2025-11-24T17:00:00Z"  # NOW is 16:00:00Z
CPU = ["1", "2", "0", "500m", "250m", "1.5", "0.1", "100u", "1n", "0.0000000001", "3e-3", "1e1", "12345678n", "+2", ".5", "1k"]
MEMORY = ["1Gi", "512Mi", "1G", "128974848", "1.5Gi", "0", "100m", "1e9", "2Ti", "1Ei", "7", "0.5Mi", "3.3Ki", "9223372036854775807"]
HUGE = ["2Mi", "4Mi", "1Gi"]
DEVICES = ["1", "2", "8"]
EXTENDED = ["nvidia.com/gpu", "example.com/fpga.v2", "deviceclass.resource.kubernetes.io/gold", "kubernetes.io/odd",
            "requests.example.com/x", "Example.com/Upper", "example.com/-bad", "plain"]
CLASSES = ["gold", "standard-rwo", ""]


def resources(rng, pod_level=False):
    names = {"cpu": CPU, "memory": MEMORY}
    if rng.random() < 0.3:
        names["ephemeral-storage"] = MEMORY
    if rng.random() < 0.15:
        names[rng.choice(["hugepages-2Mi", "hugepages-1Gi"])] = HUGE
    if rng.random() < 0.15 and not pod_level:
        names[rng.choice(EXTENDED)] = DEVICES
    out = {}
    for side in ("requests", "limits"):
        chosen = {name: rng.choice(values) for name, values in names.items() if rng.random() < 0.7}
        if chosen or rng.random() < 0.2:
            out[side] = chosen
    return out


def container(rng, name):
    made = {"name": name}
    if rng.random() < 0.9:
        made["resources"] = resources(rng)
    return made


def statuses(rng, containers):
    out = []
    for each in containers:
        if rng.random() < 0.7:
            status = {"name": each["name"]}
            if rng.random() < 0.8:
                status["resources"] = resources(rng)
            if rng.random() < 0.6:
                status["allocatedResources"] = resources(rng).get("requests", {})
            out.append(status)
    rng.shuffle(out)
    return out


def pod(rng):
    spec = {"containers": [container(rng, f"c{n}") for n in range(rng.choice([1, 1, 2, 3]))]}
    if rng.random() < 0.6:
        spec["initContainers"] = []
        for n in range(rng.choice([1, 2, 4])):
            made = container(rng, f"i{n}")
            if rng.random() < 0.5:
                made["restartPolicy"] = "Always"
            spec["initContainers"].append(made)
    if rng.random() < 0.1:
        spec["ephemeralContainers"] = [container(rng, "debug")]
    if rng.random() < 0.25:
        spec["resources"] = resources(rng, pod_level=True)
    if rng.random() < 0.2:
        spec["overhead"] = {"cpu": rng.choice(CPU), "memory": rng.choice(MEMORY)}
    metadata = {"name": "p", "namespace": "n"}
    status = {}
    if rng.random() < 0.4:
        status["containerStatuses"] = statuses(rng, spec["containers"])
        status["initContainerStatuses"] = statuses(rng, spec.get("initContainers", []))
        if rng.random() < 0.4:
            status["conditions"] = [{"type": "Ready", "status": "True"},
                                    {"type": "PodResizePending", "reason": rng.choice(["Infeasible", "Deferred"]), "status": "True"}]
    if rng.random() < 0.2:
        status["phase"] = rng.choice(["Running", "Pending", "Failed", "Succeeded"])
    if rng.random() < 0.15:
        metadata["deletionTimestamp"] = rng.choice([NOW_TEXT_BEFORE, NOW_TEXT_AFTER])
        if rng.random() < 0.8:
            metadata["deletionGracePeriodSeconds"] = rng.choice([0, 30, 3599, 3600, 3601, 7200])
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    if status:
        made["status"] = status
    return {"resource": "pods", "group": "", "now": NOW, "defaults": rng.random() < 0.5, "object": made}


def claim(rng):
    spec, metadata, status = {"resources": {}}, {"name": "c"}, {}
    if rng.random() < 0.9:
        spec["resources"]["requests"] = {"storage": rng.choice(MEMORY)}
    if rng.random() < 0.7:
        spec["storageClassName"] = rng.choice(CLASSES)
    if rng.random() < 0.15:
        metadata["annotations"] = {"volume.beta.kubernetes.io/storage-class": rng.choice(CLASSES)}
    if rng.random() < 0.4:
        status["allocatedResources"] = {"storage": rng.choice(MEMORY)} if rng.random() < 0.8 else {}
    made = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec, "status": status}
    return {"resource": "persistentvolumeclaims", "group": "", "now": NOW, "defaults": False, "object": made}


def service(rng):
    spec = {}
    if rng.random() < 0.9:
        spec["type"] = rng.choice(["ClusterIP", "NodePort", "LoadBalancer", "LoadBalancer", "ExternalName"])
    if rng.random() < 0.9:
        spec["ports"] = []
        for n in range(rng.choice([0, 1, 2, 3])):
            port = {"port": 80 + n}
            if rng.random() < 0.5:
                port["nodePort"] = rng.choice([0, 30080 + n])
            spec["ports"].append(port)
    if rng.random() < 0.5:
        spec["allocateLoadBalancerNodePorts"] = rng.choice([True, False, False])
    made = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec}
    return {"resource": "services", "group": "", "now": NOW, "defaults": False, "object": made}


def counted(rng):
    resource, group = rng.choice([("configmaps", ""), ("secrets", ""), ("resourcequotas", ""), ("replicationcontrollers", ""),
                                  ("deployments", "apps"), ("ingresses", "networking.k8s.io"), ("endpoints", "")])
    return {"resource": resource, "group": group, "now": NOW, "defaults": False, "object": {"metadata": {"name": "x"}}}


def objects(count, seed=20261124):
    rng = random.Random(seed)
    makers = [pod] * 7 + [claim] * 2 + [service] * 2 + [counted]
    return [rng.choice(makers)(rng) for _ in range(count)]
