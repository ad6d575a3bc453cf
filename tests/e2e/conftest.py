"""Fixtures: one cluster with the gate in it for all rules, and others for tests that break theirs. The guard's are in guard/."""

import contextlib
import datetime
import pathlib
import shutil
import signal
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

from harness import install, network  # noqa: E402
from harness.cluster import Cluster  # noqa: E402
from harness.expect import Gatekeeper  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "core: runs on every change, in minutes")
    config.addinivalue_line("markers", "faults: long; make faults")


def pytest_sessionstart(session):
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # what was started is ended
    try:
        network.enter()  # before anything has threads
    except network.NotPermitted as wrong:
        session.config.without_network = str(wrong)


def pytest_collection_modifyitems(session, config, items):
    """The guard's tests need loopback only; the others a network of their own, and so root."""
    wrong = getattr(config, "without_network", None)
    if wrong and any(HERE / "guard" not in item.path.parents for item in items):
        pytest.exit(wrong, returncode=2)


@pytest.fixture(scope="session")
def documents(tmp_path_factory):
    """tests/e2e/documents, with the exceptions' dates around today."""
    directory = tmp_path_factory.mktemp("documents")
    today = datetime.datetime.now(datetime.timezone.utc)
    for file in (HERE / "documents").glob("*.yaml"):
        shutil.copy(file, directory)
    exceptions = directory / "exceptions.yaml"
    text = exceptions.read_text()
    text = text.replace("2026-01-01T00:00:00Z", (today - datetime.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"))
    exceptions.write_text(text.replace("2026-01-31T00:00:00Z", (today + datetime.timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")))
    return directory


@pytest.fixture(scope="session")
def cluster():
    with Cluster() as started:
        yield started


@pytest.fixture(scope="session")
def gate(cluster, documents):
    return install.Gate(cluster, documents)


@pytest.fixture(scope="module")
def new_cluster():
    """A cluster of a module's own, for tests that break it."""
    with Cluster() as started:
        yield started


@pytest.fixture(scope="module")
def cluster_with():
    """Clusters of a module's own, with options of Cluster."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(Cluster(**options))


FIGURES = []


@pytest.fixture
def figure(request):
    """A measured sentence: printed at once, and again at the end."""
    def note(text):
        FIGURES.append(f"{request.node.name}: {text}")
        print(f"\n  {FIGURES[-1]}", flush=True)
    return note


def pytest_terminal_summary(terminalreporter):
    if FIGURES:
        terminalreporter.section("figures")
        for each in FIGURES:
            terminalreporter.write_line(each)


@pytest.fixture
def ask(cluster, gate):
    """What tests say of an answer, as a tenant's developer who may write in every namespace of the tenant."""
    return Gatekeeper(cluster, gate)
