"""What a test says of the gate: this is denied by these rules, this is let in, this is mended so. Each looks at everything a
user and an auditor would see: status, message, causes, warnings, and the audit annotations in the API server's audit log.
"""

import contextlib

DEVELOPER = "dev@acme.example"


class Gatekeeper:
    def __init__(self, cluster, gate):
        self.cluster, self.gate = cluster, gate

    def developer(self, namespace):
        """A tenant's developer, in a namespace that is made when it is not there yet."""
        if (DEVELOPER, namespace) not in self.cluster.bound:
            self.cluster.namespace(namespace)
        return self.cluster.tenant_user(DEVELOPER, [namespace])

    @contextlib.contextmanager
    def policy(self, kind, name, **spec):
        """One more document for the time of the context."""
        self.gate.extend(f"extra-{name}.yaml", [{"apiVersion": "portcullis.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}])
        try:
            yield
        finally:
            self.gate.extend(f"extra-{name}.yaml", None)

    def annotations(self, answer):
        """Our audit annotations by their short names, from the audit log."""
        found = self.cluster.audit(answer).get("annotations") or {}
        return {key.split("/", 1)[1]: value for key, value in found.items() if key.split("/")[0].startswith("validate") and key.split("/")[0].endswith("portcullis.dev")}

    def denied(self, thing, *rules, verb=None, field=None, tenant="acme", **options):
        """Refused by exactly these rules, with a cause each that names a field, what was found and what is wanted."""
        answer = (verb or self.developer(thing["metadata"]["namespace"]).create)(thing, **options)
        assert answer.status == 403, f"should be denied: HTTP {answer.status} {answer.body[:1500]!r}"
        assert answer.object["reason"] == "Forbidden"
        assert 'portcullis.dev" denied the request' in answer.message, answer.message
        assert {cause["reason"] for cause in answer.causes} == set(rules), answer.causes
        for cause in answer.causes:
            assert cause.get("field") and "found" in cause["message"] and "want" in cause["message"], cause
        for rule in rules:
            assert rule in answer.message, answer.message
        if field:
            assert field in [cause["field"] for cause in answer.causes], answer.causes
        annotations = self.annotations(answer)
        assert annotations["decision"] == "deny" and annotations["tenant"] == tenant, annotations
        return answer

    def allowed(self, thing, verb=None, warnings=0, **options):
        """Let in, with so many warnings."""
        answer = (verb or self.developer(thing["metadata"]["namespace"]).create)(thing, **options)
        answer.ok()
        assert len(answer.warnings) == warnings, answer.warnings
        annotations = self.annotations(answer)
        assert annotations["decision"] == ("warn" if warnings else "allow"), annotations
        return answer
