"""The whole way of a request: a client, the real Traefik, the real guard, and something that answers as Odoo does.

The Middlewares are those that the program renders from the documents of the test. `edit` may change them before Traefik reads
them, for a test of what happens where an operator does not use them as they are.
"""

import contextlib
import copy
import pathlib
import shutil
import tempfile

from . import guard, odoo_fake, pki, traefik

HOST = "erp.{}.example"


class Stage:
    """A context. documents: of the guard. tls: the guard serves TLS. replicas: more than one stand behind a Service's address.

    trusted: whose X-Forwarded-* Traefik's entry points believe. access_log: the guards read Traefik's. login_door: logins take
    the router of their own."""

    def __init__(self, documents, tls=True, replicas=1, trusted=(), edit=None, entry_point=None, drain_delay=0, options=(), access_log=False, login_door=True):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-stage-"))
        self.stack = contextlib.ExitStack()
        self.stack.callback(shutil.rmtree, self.dir, ignore_errors=True)
        with contextlib.ExitStack() as unless_whole:
            unless_whole.callback(self.stack.close)
            self.config = guard.write_documents(self.dir / "documents", documents)
            self.authority = pki.Authority(self.dir / "pki", "stage CA")
            certificate = self.authority.sign("guard", usage="serverAuth", names=["localhost", "127.0.0.1"]) if tls else None
            front = self.authority.sign("front", usage="serverAuth", names=["localhost", *(host for each in documents if each["kind"] == "Tenant" for host in each["spec"]["hosts"])])
            log = self.dir / "access.log"
            options = [*options, *(["--access-log", log] if access_log else [])]
            self.odoo = self.stack.enter_context(odoo_fake.OdooFake())
            self.guards = [self.stack.enter_context(guard.Guard(self.config, certificate, options, drain_delay)) for _ in range(replicas)]
            self.guard = self.guards[0]
            self.service = self.stack.enter_context(guard.ServiceAddress(self.guards)) if replicas > 1 else None
            self.guard_url = (self.service or self.guard).url
            words = ["--guard-url", self.guard_url, *(["--guard-ca", self.authority.ca] if tls else [])]
            self.shown = traefik.rendered(self.config, *words)
            dynamic = copy.deepcopy(traefik.way(self.shown, self.odoo.url))
            if not login_door:
                dynamic["http"]["routers"] = {name: router for name, router in dynamic["http"]["routers"].items() if not router["middlewares"][0].endswith("-login")}
            if edit:
                edit(dynamic["http"])
            self.traefik = self.stack.enter_context(traefik.Traefik(dynamic, front, self.authority.ca, trusted, entry_point, log))
            unless_whole.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def ask(self, tenant, path="/", method="GET", **more):
        """One request to a tenant's Odoo."""
        return self.traefik.request(method, path, host=HOST.format(tenant), **more)

    def decision(self, **wanted):
        """The last record of the decision log that is so; an assertion fails when there is none."""
        found = [each for one in self.guards for each in one.decisions(**wanted)]
        assert found, f"no decision with {wanted}"
        return max(found, key=lambda each: each["t"])

    def metric(self, name, **labels):
        return sum(each.metric(name, **labels) for each in self.guards)
