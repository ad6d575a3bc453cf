"""The API server as one user sees it: a small client, one kept connection a thread.

An answer knows its status, its object, the warnings a user would see, and its id in the audit log. `created`, `denied` and
such are for tests: they fail with what the API server said.
"""

import http.client
import json
import re
import ssl
import threading
import time
import urllib.parse

CALL_SECONDS_MAX = 40
IDLE_SECONDS_MAX = 30  # the API server closes after 90

GROUPS = {  # kind: (path of the group and version, resource, namespaced)
    "Pod": ("api/v1", "pods", True), "ConfigMap": ("api/v1", "configmaps", True), "Secret": ("api/v1", "secrets", True),
    "Service": ("api/v1", "services", True), "ServiceAccount": ("api/v1", "serviceaccounts", True), "Namespace": ("api/v1", "namespaces", False),
    "Node": ("api/v1", "nodes", False), "PersistentVolumeClaim": ("api/v1", "persistentvolumeclaims", True),
    "ReplicationController": ("api/v1", "replicationcontrollers", True), "PodTemplate": ("api/v1", "podtemplates", True),
    "ResourceQuota": ("api/v1", "resourcequotas", True), "Event": ("api/v1", "events", True),
    "Deployment": ("apis/apps/v1", "deployments", True), "StatefulSet": ("apis/apps/v1", "statefulsets", True),
    "DaemonSet": ("apis/apps/v1", "daemonsets", True), "ReplicaSet": ("apis/apps/v1", "replicasets", True),
    "Job": ("apis/batch/v1", "jobs", True), "CronJob": ("apis/batch/v1", "cronjobs", True),
    "Ingress": ("apis/networking.k8s.io/v1", "ingresses", True), "EndpointSlice": ("apis/discovery.k8s.io/v1", "endpointslices", True),
    "HorizontalPodAutoscaler": ("apis/autoscaling/v2", "horizontalpodautoscalers", True), "Lease": ("apis/coordination.k8s.io/v1", "leases", True),
    "Role": ("apis/rbac.authorization.k8s.io/v1", "roles", True), "RoleBinding": ("apis/rbac.authorization.k8s.io/v1", "rolebindings", True),
    "ClusterRole": ("apis/rbac.authorization.k8s.io/v1", "clusterroles", False),
    "ClusterRoleBinding": ("apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", False),
    "ValidatingWebhookConfiguration": ("apis/admissionregistration.k8s.io/v1", "validatingwebhookconfigurations", False),
    "MutatingWebhookConfiguration": ("apis/admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations", False),
    "ValidatingAdmissionPolicy": ("apis/admissionregistration.k8s.io/v1", "validatingadmissionpolicies", False),
    "ValidatingAdmissionPolicyBinding": ("apis/admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings", False),
    "CustomResourceDefinition": ("apis/apiextensions.k8s.io/v1", "customresourcedefinitions", False),
    "Platform": ("apis/portcullis.dev/v1", "platforms", False), "Tenant": ("apis/portcullis.dev/v1", "tenants", False),
    "Policy": ("apis/portcullis.dev/v1", "policies", False), "PolicyException": ("apis/portcullis.dev/v1", "policyexceptions", False),
    "GuardPolicy": ("apis/portcullis.dev/v1", "guardpolicies", False), "Calendar": ("apis/portcullis.dev/v1", "calendars", False), "TenantQuota": ("apis/portcullis.dev/v1", "tenantquotas", False),
}
PATCHES = {"merge": "application/merge-patch+json", "json": "application/json-patch+json", "strategic": "application/strategic-merge-patch+json",
           "apply": "application/apply-patch+yaml"}


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def object(self):
        return json.loads(self.body)

    @property
    def audit_id(self):
        return self.headers.get("Audit-Id")

    @property
    def warnings(self):
        """The texts of the Warning headers, as kubectl prints them."""
        texts = [re.match(r'299 \S+ "(.*)"$', each, re.S) for each in self.headers.get_all("Warning") or []]
        return [re.sub(r"\\(.)", r"\1", each.group(1)) for each in texts if each]

    @property
    def message(self):
        return self.object.get("message", "")

    @property
    def causes(self):
        return (self.object.get("details") or {}).get("causes") or []

    def ok(self, *statuses):
        if self.status not in (statuses or (200, 201, 202)):
            raise AssertionError(f"HTTP {self.status}: {self.body.decode(errors='replace')[:2000]}")
        return self


def path_of(kind, namespace=None, name=None, subresource=None):
    group, resource, namespaced = GROUPS[kind]
    path = f"/{group}"
    if namespaced and namespace:
        path += f"/namespaces/{namespace}"
    path += f"/{resource}"
    if name:
        path += f"/{name}"
    if subresource:
        path += f"/{subresource}"
    return path


class Api:
    """One API server, one user: a client certificate, a bearer token, or nobody."""

    def __init__(self, host, port, ca, certificate=None, key=None, token=None, user=None):
        self.host, self.port, self.ca, self.user, self.token = host, port, ca, user, token
        self.certificate, self.key = certificate, key
        self.context = ssl.create_default_context(cafile=str(ca))
        if certificate:
            self.context.load_cert_chain(str(certificate), str(key))
        self.local = threading.local()

    def at(self, port):
        """The same user at another API server of the same host."""
        return Api(self.host, port, self.ca, self.certificate, self.key, self.token, self.user)

    def request(self, method, path, body=None, content="application/json", headers=None, timeout=CALL_SECONDS_MAX):
        headers = {"Accept": "application/json", **(headers or {})}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers["Content-Type"] = content
        for last in (False, True):
            connection = getattr(self.local, "connection", None)
            if connection is not None and time.monotonic() - self.local.used > IDLE_SECONDS_MAX:
                connection.close()
                connection = None
            fresh, self.local.used = connection is None, time.monotonic()
            if fresh:
                connection = self.local.connection = http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=self.context)
            try:
                connection.request(method, path, body=data, headers=headers)
                got = connection.getresponse()
                return Answer(got.status, got.headers, got.read())
            except (http.client.HTTPException, OSError):
                connection.close()
                self.local.connection = None
                if fresh or last or method != "GET":
                    raise
        raise AssertionError("unreachable")

    def get(self, kind, namespace=None, name=None, subresource=None, **query):
        path = path_of(kind, namespace, name, subresource)
        return self.request("GET", path + ("?" + urllib.parse.urlencode(query) if query else ""))

    def list(self, kind, namespace=None, **query):
        return self.get(kind, namespace, **query).ok().object["items"]

    def create(self, thing, namespace=None, dry_run=False, subresource=None, name=None):
        namespace = namespace or (thing.get("metadata") or {}).get("namespace")
        path = path_of(thing["kind"], namespace, name, subresource)
        return self.request("POST", path + ("?dryRun=All" if dry_run else ""), thing)

    def replace(self, thing, subresource=None, dry_run=False):
        metadata = thing["metadata"]
        path = path_of(thing["kind"], metadata.get("namespace"), metadata["name"], subresource)
        return self.request("PUT", path + ("?dryRun=All" if dry_run else ""), thing)

    def patch(self, kind, namespace, name, patch, how="merge", subresource=None, dry_run=False):
        path = path_of(kind, namespace, name, subresource)
        return self.request("PATCH", path + ("?dryRun=All" if dry_run else ""), patch, content=PATCHES[how])

    def delete(self, kind, namespace, name, **options):
        return self.request("DELETE", path_of(kind, namespace, name), {"kind": "DeleteOptions", "apiVersion": "v1", **options})

    def put(self, thing):
        """Creates, or replaces what is there."""
        answer = self.create(thing)
        if answer.status != 409:
            return answer
        metadata = thing["metadata"]
        there = self.get(thing["kind"], metadata.get("namespace"), metadata["name"]).ok().object
        return self.replace({**thing, "metadata": {**metadata, "resourceVersion": there["metadata"]["resourceVersion"]}})
