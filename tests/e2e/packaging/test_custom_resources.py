"""The custom resources in a real API server: it takes their definitions and every document that the repository ships, and
refuses at once what a schema can tell. The whole set, references between documents included, is the program's to judge."""

import re
import subprocess

import pytest

from harness import tools, wait
from harness.cluster import Cluster

pytestmark = pytest.mark.core
MANIFESTS = tools.ROOT / "manifests"


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as started:
        yield started


def kubectl(cluster, *words, text=""):
    return subprocess.run([str(tools.tool("kubectl")), "--kubeconfig", str(cluster.admin_kubeconfig), *map(str, words)], input=text,
                          capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def served(cluster):
    crds = subprocess.run([str(tools.PROGRAM), "render", "crds"], capture_output=True, text=True, check=True).stdout
    done = kubectl(cluster, "apply", "--server-side", "-f", "-", text=crds)
    assert done.returncode == 0, done.stderr
    for plural in ("platforms", "tenants", "policies", "policyexceptions", "guardpolicies", "calendars", "tenantquotas"):
        wait.until(lambda: kubectl(cluster, "get", f"{plural}.portcullis.dev").returncode == 0, 30, f"{plural} served")
    return cluster


@pytest.mark.parametrize("directory", ["base/documents", "example/documents", "example/cluster/documents", "sidecar/documents"])
def test_every_shipped_document_is_taken(served, directory):
    done = kubectl(served, "apply", "--server-side", "--force-conflicts", "-f", MANIFESTS / directory)
    assert done.returncode == 0, done.stderr
    assert "arning" not in done.stderr


def test_the_examples_of_the_documents_page_are_taken(served):
    examples = re.findall(r"```yaml\n(.*?)```", (tools.ROOT / "docs/documents.md").read_text(), re.DOTALL)
    assert any("kind: Calendar" in each for each in examples)
    done = kubectl(served, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", text="---\n".join(examples))
    assert done.returncode == 0, done.stderr


def test_budgets_are_taken(served):
    quotas = subprocess.run([str(tools.PROGRAM), "render", "tenant-quotas", "--config", str(MANIFESTS / "example/documents")],
                            capture_output=True, text=True, check=True).stdout
    done = kubectl(served, "apply", "-f", "-", text=quotas)
    assert done.returncode == 0 and done.stdout.count("created") == 3, done.stdout + done.stderr


def test_columns_tell_what_a_person_asks(served):
    kubectl(served, "apply", "--server-side", "--force-conflicts", "-f", MANIFESTS / "example/documents")
    assert kubectl(served, "get", "tenants").stdout.split()[:5] == ["NAME", "TIER", "ZONE", "ACCEPTED", "AGE"]
    listed = kubectl(served, "get", "portcullis").stdout
    for name in ("tenant.portcullis.dev/meridian-advisory", "policyexception.portcullis.dev/nordhaven-label-printer", "guardpolicy.portcullis.dev/default"):
        assert name in listed
    assert "operational tier" in kubectl(served, "explain", "tenants.spec.tier").stdout


TENANT = "tier: 1, timeZone: Europe/Zurich"
ONE = "namespaces: [{name: a, environment: p, tenancy: dedicated}]"
EXCEPTION = "rules: [replica-floor], reason: a, ticket: a, approvedBy: a, match: {tenants: [a], namespaces: [b], objects: [%s]}, validFrom: %s, expiresAt: %s"
POD, DAY, NEXT = "{kind: Pod, name: a}", "'2027-01-01T00:00:00Z'", "'2027-01-02T00:00:00+01:00'"
PROXIES = "trustedProxies: {cidrs: [10.0.0.0/8]}"


@pytest.mark.parametrize("kind, spec, said", [
    ("Tenant", f"{TENANT}, {ONE}", None),
    ("Tenant", f"teir: 1, {TENANT}, {ONE}", 'unknown field "spec.teir"'),
    ("Tenant", f"tier: 4, timeZone: Europe/Zurich, {ONE}", "spec.tier"),
    ("Tenant", ONE, "spec.tier: Required value"),
    ("Tenant", f"{TENANT}, namespaces: [{{environment: p, tenancy: dedicated}}]", "want either `name` or `pattern`"),
    ("Tenant", f"{TENANT}, namespaces: [{{name: a, pattern: 'a*', environment: p, tenancy: dedicated}}]", "want either `name` or `pattern`"),
    ("Tenant", f"{TENANT}, namespaces: [{{pattern: 'a*b', environment: p, tenancy: dedicated}}]", "spec.namespaces[0].pattern"),
    ("Tenant", f"{TENANT}, namespaces: [{{name: a, environment: p, tenancy: dedicted}}]", "Unsupported value: \"dedicted\""),
    ("Tenant", f"{TENANT}, {ONE}, budget: {{pods: two}}", "spec.budget.pods"),
    ("Tenant", f"{TENANT}, {ONE}, budget: {{pods: 20, requests.cpu: 500m}}", None),
    ("Tenant", f"{TENANT}, {ONE}, guard: {{plan: gold, bans: {{}}}}", 'unknown field "spec.guard.bans"'),
    ("Policy", "rules: [{id: container-bounds, with: {anything: {goes: [here]}}}]", None),
    ("Policy", "rules: []", "spec.rules"),
    ("Policy", "mode: enforced, rules: [{id: image-digest}]", "Unsupported value: \"enforced\""),
    ("Policy", "match: {selector: {matchExpressions: [{key: a, operator: Exists, values: [a]}]}}, rules: [{id: image-digest}]", "want `values` with In and NotIn"),
    ("Policy", "match: {selector: {matchExpressions: [{key: a, operator: In}]}}, rules: [{id: image-digest}]", "want `values` with In and NotIn"),
    ("PolicyException", EXCEPTION % (POD, DAY, NEXT), None),
    ("PolicyException", EXCEPTION % (POD, NEXT, DAY), "want `expiresAt` after `validFrom`"),
    ("PolicyException", EXCEPTION % (POD, "'yesterday'", NEXT), "spec.validFrom"),
    ("PolicyException", EXCEPTION % ("{kind: Pod, name: a, generated: true}", DAY, NEXT), "want a `*` at the end of `name`"),
    ("GuardPolicy", PROXIES, None),
    ("GuardPolicy", f"{PROXIES}, classes: {{logn: {{cost: 1}}}}", "want only names that there are"),
    ("GuardPolicy", f"{PROXIES}, plans: {{gold: {{factor: 0}}}}", "spec.plans.gold.factor"),
    ("GuardPolicy", f"{PROXIES}, plans: {{gold: {{tenant: {{rate: 3/week, burst: 1}}}}}}", "spec.plans.gold.tenant.rate"),
    ("GuardPolicy", f"{PROXIES}, classes: {{login: {{match: [/x]}}}}", 'unknown field "spec.classes.login.match"'),
    ("GuardPolicy", f"{PROXIES}, profiles: [{{name: a}}], overrides: [{{profile: a, reason: why, expiresAt: {DAY}}}]", None),
    ("GuardPolicy", f"{PROXIES}, overrides: [{{profile: a, reason: why}}]", "spec.overrides[0].expiresAt: Required value"),
    ("GuardPolicy", f"{PROXIES}, overrides: [{{profile: a, reason: why, from: {NEXT}, expiresAt: {DAY}}}]", "want `expiresAt` after `from`"),
    ("Tenant", f"{TENANT}, {ONE}, guard: {{plan: gold, classes: {{edi: {{match: [edi]}}}}}}", "spec.guard.classes.edi.match[0]"),
    ("Calendar", "timeZone: tenant, periods: [{name: a, recurrence: FREQ=DAILY, start: '05:00', duration: PT1H}]", None),
    ("Calendar", "timeZone: tenant, periods: [{name: a, recurrence: FREQ=DAILY, start: '05:00'}]", "want `duration` beside `recurrence`"),
    ("Calendar", "timeZone: tenant, periods: [{name: a, start: '05:00'}]", "want one of `businessDays`, `recurrence` and `from`"),
    ("Calendar", "timeZone: tenant, periods: [{name: a, from: '2026-11-20', until: '2027-01-07T06:00'}]", "spec.periods[0].from"),
    ("Platform", "environments: [p], exceptions: {maxDuration: a while}", "spec.exceptions.maxDuration"),
])
def test_the_schema_tells(served, kind, spec, said):
    text = f"apiVersion: portcullis.dev/v1\nkind: {kind}\nmetadata: {{name: told}}\nspec: {{{spec}}}\n"
    done = kubectl(served, "create", "--dry-run=server", "-f", "-", text=text)
    if said is None:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode != 0
        assert said in done.stderr


def test_a_tenants_name_is_a_label(served):
    text = f"apiVersion: portcullis.dev/v1\nkind: Tenant\nmetadata: {{name: a.b}}\nspec: {{{TENANT}, {ONE}}}\n"
    assert "want a DNS label" in kubectl(served, "create", "--dry-run=server", "-f", "-", text=text).stderr


@pytest.mark.parametrize("what", ["base", "example/cluster", "overlays/custom-resources", "overlays/onboarding", "overlays/external-certificates"])
def test_the_kustomizations_are_taken_whole(served, what):
    if kubectl(served, "get", "namespace", "portcullis-system").returncode != 0:
        kubectl(served, "create", "namespace", "portcullis-system")
    done = kubectl(served, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-k", MANIFESTS / what)
    assert done.returncode == 0, done.stderr
