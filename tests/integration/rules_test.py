"""The rules over the wire: what each of them denies and lets through, at /validate and /mutate of the real webhook.

One namespace a rule, so that a verdict is that rule's alone.
"""

import base64
import copy
import datetime
import json
import tempfile
import unittest

import harness
from harness import container, pod_spec, review, workload

RULES = {  # namespace: the rule that judges there
    "acme-bounds": {"id": "container-bounds", "inject": True,
                    "with": {"max": {"limits.memory": "4Gi"},
                             "defaults": {"requests.cpu": "100m", "requests.memory": "128Mi", "limits.memory": "1Gi"}}},
    "acme-floor": {"id": "replica-floor", "with": {"min": 2}},
    "acme-apart": {"id": "anti-affinity", "inject": True},
    "acme-registry": {"id": "image-registry", "with": {"allow": ["registry.hoster.example/odoo/**"]}},
    "acme-digest": {"id": "image-digest", "with": {"require": "digest"}},
    "acme-inline": {"id": "no-inline-secret"},
    "acme-secret": {"id": "secret-reference"},
    "acme-warned": {"id": "image-digest", "mode": "warn", "with": {"require": "digest"}},
    "acme-audited": {"id": "image-digest", "mode": "audit", "with": {"require": "digest"}},
}
DOCUMENTS = [
    harness.platform(systemNamespaces=["kube-system", "portcullis-system"],
                     workloadKinds=[{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "podTemplate": "spec.template", "replicas": "spec.replicas"}]),
    harness.tenant("acme", [{"pattern": "acme-*"}]),
    *(harness.policy(namespace, [namespace], [rule]) for namespace, rule in RULES.items()),
    harness.document("PolicyException", "printer", rules=["replica-floor"],
                     match={"tenants": ["acme"], "namespaces": ["acme-floor"], "objects": [{"kind": "Deployment", "name": "printer"}]},
                     reason="licensed for one site", ticket="CHG1", approvedBy="security@hoster.example",
                     validFrom="2026-01-01T00:00:00Z", expiresAt="2026-01-31T00:00:00Z"),
]


def setUpModule():
    global directory, door
    today = datetime.datetime.now(datetime.timezone.utc)
    spec = DOCUMENTS[-1]["spec"]
    spec["validFrom"] = (today - datetime.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    spec["expiresAt"] = (today + datetime.timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    expired = copy.deepcopy(DOCUMENTS[-1])
    expired["metadata"]["name"] = "bridge"
    expired["spec"]["match"]["objects"][0]["name"] = "bridge"
    expired["spec"]["validFrom"] = (today - datetime.timedelta(days=9)).strftime("%Y-%m-%dT%H:%M:%SZ")
    expired["spec"]["expiresAt"] = (today - datetime.timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    directory = tempfile.TemporaryDirectory(prefix="portcullis-integration-")
    certificates = harness.Certificates(directory.name)
    door = harness.Door("webhook", DOCUMENTS + [expired], certificates=(certificates.ca, *certificates.sign("server")))


def tearDownModule():
    door.stop()
    directory.cleanup()


class Case(unittest.TestCase):
    def denied(self, sent, *rules):
        response = door.validate(sent)
        self.assertFalse(response["allowed"], "should be denied")
        self.assertEqual(response["uid"], sent["request"]["uid"])
        status = response["status"]
        self.assertEqual((status["code"], status["reason"]), (403, "Forbidden"))
        causes = status["details"]["causes"]
        self.assertEqual({each["reason"] for each in causes}, set(rules))
        for each in causes:
            self.assertIn("found", each["message"])
            self.assertIn("want", each["message"])
            self.assertTrue(each["field"])
        for rule in rules:
            self.assertIn(rule, status["message"])
        return response

    def allowed(self, sent, warnings=0):
        response = door.validate(sent)
        self.assertTrue(response["allowed"], response.get("status"))
        self.assertEqual(len(response.get("warnings", [])), warnings, response.get("warnings"))
        return response


def with_image(kind, namespace, image):
    return workload(kind, namespace, pod_spec(container(image=image)))


TAGGED = "registry.hoster.example/odoo/server:17.0"


class EachRule(Case):
    def test_container_bounds(self):
        self.denied(review(workload("Deployment", "acme-bounds", pod_spec(container(resources={})))), "container-bounds")
        large = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "4097Mi"}}
        response = self.denied(review(workload("Deployment", "acme-bounds", pod_spec(container(resources=large)))), "container-bounds")
        self.assertEqual(response["status"]["details"]["causes"][0]["field"], "spec.template.spec.containers[0].resources.limits.memory")
        self.allowed(review(workload("Deployment", "acme-bounds")))

    def test_replica_floor(self):
        self.denied(review(workload("Deployment", "acme-floor", replicas=1)), "replica-floor")
        self.allowed(review(workload("Deployment", "acme-floor", replicas=2)))
        self.allowed(review(workload("Deployment", "acme-floor", replicas=0)))

    def test_anti_affinity(self):
        self.denied(review(workload("Deployment", "acme-apart")), "anti-affinity")
        others = pod_spec(affinity=harness.anti_affinity({"app": "somebody-else"}))
        self.denied(review(workload("Deployment", "acme-apart", others)), "anti-affinity")
        own = pod_spec(affinity=harness.anti_affinity({"app": "odoo"}))
        self.allowed(review(workload("Deployment", "acme-apart", own)))

    def test_image_registry(self):
        self.denied(review(with_image("Deployment", "acme-registry", "docker.io/acme/odoo:17")), "image-registry")
        self.denied(review(with_image("Deployment", "acme-registry", "registry.hoster.example.evil.example/odoo/server:17")), "image-registry")
        self.allowed(review(with_image("Deployment", "acme-registry", TAGGED)))

    def test_image_volumes_and_init_containers_count_as_images(self):
        spec = pod_spec(initContainers=[container(name="first", image="ghcr.io/acme/fetch:2")],
                        volumes=[{"name": "addons", "image": {"reference": "quay.io/acme/addons:17"}}])
        response = self.denied(review(workload("Deployment", "acme-registry", spec)), "image-registry")
        self.assertEqual(len(response["status"]["details"]["causes"]), 2)

    def test_image_digest(self):
        self.denied(review(with_image("Deployment", "acme-digest", TAGGED)), "image-digest")
        self.allowed(review(with_image("Deployment", "acme-digest", harness.IMAGE)))

    def test_no_inline_secret(self):
        secret = "demo-4f9Qz81xLmT2"
        sent = review(workload("Deployment", "acme-inline", pod_spec(container(env=[{"name": "DB_PASSWORD", "value": secret}]))))
        response = self.denied(sent, "no-inline-secret")
        self.assertNotIn(secret, json.dumps(response))
        reference = [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "acme-db", "key": "password"}}}]
        self.allowed(review(workload("Deployment", "acme-inline", pod_spec(container(env=reference)))))
        conf = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "odoo", "namespace": "acme-inline"},
                "data": {"odoo.conf": f"[options]\nadmin_passwd = {secret}\n"}}
        self.denied(review(conf), "no-inline-secret")
        conf["data"]["odoo.conf"] = "[options]\nlist_db = False\n"
        self.allowed(review(conf))

    def test_secret_reference(self):
        def mounting(name):
            return review(workload("Deployment", "acme-secret", pod_spec(volumes=[{"name": "db", "secret": {"secretName": name}}])))
        self.denied(mounting("globex-db"), "secret-reference")
        self.allowed(mounting("acme-db"))

    def test_every_workload_kind_is_judged(self):
        """threats A1: where a pod spec hides."""
        for kind in ("Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob", "PodTemplate", "Rollout"):
            with self.subTest(kind=kind):
                response = self.denied(review(with_image(kind, "acme-digest", TAGGED)), "image-digest")
                self.assertTrue(response["status"]["details"]["causes"][0]["field"].endswith("containers[0].image"))
                self.allowed(review(with_image(kind, "acme-digest", harness.IMAGE)))

    def test_all_findings_in_one_answer(self):
        """admission-review 5.6: one message reaches the user."""
        spec = pod_spec(*(container(name=f"c{n}", image=f"docker.io/acme/odoo:{n}") for n in range(4)))
        response = self.denied(review(workload("Deployment", "acme-registry", spec)), "image-registry")
        self.assertEqual([each["field"] for each in response["status"]["details"]["causes"]],
                         [f"spec.template.spec.containers[{n}].image" for n in range(4)])


class Modes(Case):
    def test_warn_is_shown_and_allowed(self):
        response = self.allowed(review(with_image("Deployment", "acme-warned", TAGGED)), warnings=1)
        self.assertIn("image-digest", response["warnings"][0])
        self.assertTrue(response["warnings"][0].isascii())
        self.assertLessEqual(len(response["warnings"][0]), 256)

    def test_audit_is_never_shown(self):
        sent = review(with_image("Deployment", "acme-audited", TAGGED))
        self.allowed(sent)
        record = harness.eventually(lambda: [r for r in door.records("admission") if r.get("uid") == sent["request"]["uid"]], what="the record")[0]
        self.assertEqual((record["verdict"], record["rules"]), ("allow", ["image-digest"]))


class Mending(Case):
    def mend(self, sent):
        response = door.mutate(sent)
        self.assertTrue(response["allowed"])
        self.assertEqual(response["uid"], sent["request"]["uid"])
        if "patch" not in response:
            self.assertNotIn("patchType", response)
            return []
        self.assertEqual(response["patchType"], "JSONPatch")
        return json.loads(base64.b64decode(response["patch"], validate=True))

    def mends(self, thing, rule):
        self.denied(review(thing), rule)
        patch = self.mend(review(thing))
        self.assertTrue(patch)
        mended = harness.patched(thing, patch)
        self.allowed(review(mended))
        self.assertEqual(self.mend(review(mended)), [])  # threats I8: a second run adds nothing
        return mended

    def test_bounds(self):
        for kind in ("Deployment", "Pod", "CronJob"):
            with self.subTest(kind=kind):
                self.mends(workload(kind, "acme-bounds", pod_spec({"name": "odoo", "image": harness.IMAGE})), "container-bounds")
        partly = {"requests": {"cpu": "2"}}
        mended = self.mends(workload("Deployment", "acme-bounds", pod_spec(container(resources=partly))), "container-bounds")
        self.assertEqual(mended["spec"]["template"]["spec"]["containers"][0]["resources"],
                         {"requests": {"cpu": "2", "memory": "128Mi"}, "limits": {"memory": "1Gi"}})

    def test_anti_affinity(self):
        mended = self.mends(workload("StatefulSet", "acme-apart"), "anti-affinity")
        terms = mended["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        self.assertEqual(terms[0]["labelSelector"], {"matchLabels": {"app": "odoo"}})
        others = pod_spec(affinity=harness.anti_affinity({"app": "somebody-else"}))
        mended = self.mends(workload("Deployment", "acme-apart", others), "anti-affinity")
        terms = mended["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        self.assertIn({"app": "somebody-else"}, [each["labelSelector"]["matchLabels"] for each in terms])

    def test_what_is_good_or_not_mendable_is_left_alone(self):
        self.assertEqual(self.mend(review(workload("Deployment", "acme-bounds"))), [])
        self.assertEqual(self.mend(review(workload("Deployment", "acme-floor", replicas=1))), [])
        self.assertEqual(self.mend(review(None, "DELETE", old=workload("Deployment", "acme-bounds", pod_spec(container(resources={}))))), [])


class WhatIsJudged(Case):
    def test_an_exception_lets_in_whom_it_names(self):
        response = self.allowed(review(workload("Deployment", "acme-floor", replicas=1, name="printer")))
        self.assertIn("printer", response["auditAnnotations"]["exception"])
        self.denied(review(workload("StatefulSet", "acme-floor", replicas=1, name="printer")), "replica-floor")
        self.denied(review(workload("Deployment", "acme-floor", replicas=1, name="printer-2")), "replica-floor")

    def test_an_expired_exception_is_inert(self):
        self.denied(review(workload("Deployment", "acme-floor", replicas=1, name="bridge")), "replica-floor")

    def test_a_namespace_of_nobody_is_denied(self):
        response = door.validate(review(workload("Deployment", "globex-prod")))
        self.assertFalse(response["allowed"])
        self.assertIn("globex-prod", response["status"]["message"])

    def test_a_system_namespace_is_never_judged(self):
        self.allowed(review(with_image("Deployment", "kube-system", "docker.io/evil:latest")))

    def test_an_object_of_another_namespace_than_the_request(self):
        """threats A49."""
        response = door.validate(review(workload("Deployment", "kube-system"), namespace="acme-digest"))
        self.assertFalse(response["allowed"])

    def test_an_update_that_keeps_an_old_flaw_warns(self):
        old = with_image("Deployment", "acme-digest", TAGGED)
        new = copy.deepcopy(old)
        new["metadata"]["labels"] = {"touched": "yes"}
        self.allowed(review(new, "UPDATE", old=old), warnings=1)

    def test_an_update_that_makes_a_flaw_worse_is_denied(self):
        old = with_image("Deployment", "acme-digest", TAGGED)
        other = copy.deepcopy(old)
        other["spec"]["template"]["spec"]["containers"][0]["image"] = TAGGED + ".1"
        self.denied(review(other, "UPDATE", old=old), "image-digest")
        more = copy.deepcopy(old)
        more["spec"]["replicas"] = 5
        self.denied(review(more, "UPDATE", old=old), "image-digest")

    def test_deletion_is_never_stopped_by_these_rules(self):
        self.allowed(review(None, "DELETE", old=with_image("Deployment", "acme-digest", TAGGED)))

    def test_a_finalizer_may_leave_a_flawed_object(self):
        old = with_image("Deployment", "acme-digest", TAGGED)
        old["metadata"].update(finalizers=["acme.example/backup"], deletionTimestamp="2026-11-23T12:00:00Z")
        new = copy.deepcopy(old)
        new["metadata"]["finalizers"] = []
        response = door.validate(review(new, "UPDATE", old=old))
        self.assertTrue(response["allowed"])

    def scale(self, replicas, before=3):
        def of(count):
            return {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "odoo", "namespace": "acme-floor"}, "spec": {"replicas": count}}
        return review(of(replicas), "UPDATE", old=of(before), subresource="scale")

    def test_scale(self):
        self.denied(self.scale(1), "replica-floor")
        self.allowed(self.scale(2))
        self.allowed(self.scale(0))

    def test_dry_run(self):
        sent = review(workload("Deployment", "acme-floor", replicas=1), dry_run=True)
        self.denied(sent, "replica-floor")
        record = harness.eventually(lambda: [r for r in door.records("admission") if r.get("uid") == sent["request"]["uid"]], what="the record")[0]
        self.assertIs(record["dry"], True)

    def test_generate_name(self):
        thing = workload("Pod", "acme-digest", pod_spec(container(image=TAGGED)))
        del thing["metadata"]["name"]
        thing["metadata"]["generateName"] = "odoo-"
        self.denied(review(thing, name=""), "image-digest")
        thing["spec"]["containers"][0]["image"] = harness.IMAGE
        self.allowed(review(thing, name=""))

    def test_integers_beyond_2_to_53(self):
        thing = workload("Deployment", "acme-floor", replicas=9007199254740993)
        thing["metadata"]["generation"] = 18446744073709551615
        self.allowed(review(thing))
        self.allowed(review(workload("Deployment", "acme-floor", replicas=2, generation=9007199254740993)))
        negative = workload("Deployment", "acme-floor", replicas=-9223372036854775808)
        self.denied(review(negative), "replica-floor")

    def test_nulls_are_absent(self):
        thing = workload("Deployment", "acme-floor")
        thing["spec"].update(replicas=None)
        thing["metadata"].update(annotations=None, labels=None)
        thing["spec"]["template"]["spec"].update(volumes=None, initContainers=None)
        self.denied(review(thing), "replica-floor")
        bounds = workload("Deployment", "acme-bounds", pod_spec(container(resources=None)))
        self.denied(review(bounds), "container-bounds")

    def test_connect(self):
        options = {"kind": "PodExecOptions", "apiVersion": "v1", "stdin": True, "tty": True, "container": "odoo", "command": ["bash"]}
        self.allowed(review(options, "CONNECT", namespace="acme-digest", name="odoo-1", subresource="exec"))

    def test_ephemeral_containers(self):
        """threats A1: `pods/ephemeralcontainers` is another resource than `pods`."""
        old = workload("Pod", "acme-registry")
        new = copy.deepcopy(old)
        new["spec"]["ephemeralContainers"] = [{"name": "debug", "image": "docker.io/library/busybox:1"}]
        self.denied(review(new, "UPDATE", old=old, subresource="ephemeralcontainers"), "image-registry")


if __name__ == "__main__":
    unittest.main()
