"""tests/e2e/tools/traffic as Python sees it: many writes at once, an independent witness, and an API server that lies."""

import http.client
import itertools
import json
import subprocess
import urllib.parse

from . import network, tools, wait

PROXY_PORT_FIRST = 7443


def _who(user):
    words = ["-ca", user.ca]
    if user.certificate:
        words += ["-cert", user.certificate, "-key", user.key]
    if user.token:
        words += ["-token", user.token]
    return [str(word) for word in words]


class Load:
    """Writes of one body. `{{N}}` in body and path is the number of the request, `{{P}}` in the path one of `places` in turn.

    With n: that many, c at once. With rate: begun at so many a second. Runs until done, `seconds` are over or `stop`. What the API
    server's flow control turns away (429) is sent again, as client-go does."""

    def __init__(self, cluster, user, path, body, *, n=0, c=16, rate=0, seconds=0, places=(), method="POST", servers=None, offset=0, content="application/json",
                 timeout="60s"):
        file = cluster.dir / f"load-{id(self)}.json"
        file.write_text(json.dumps(body))
        servers = servers or [f"https://{network.HOST}:{cluster.api_port + number}" for number in range(len(cluster.api_servers))]
        command = [tools.tool("traffic"), "load", *_who(user), "-servers", ",".join(servers), "-path", path, "-places", ",".join(places), "-method", method,
                   "-body", file, "-n", n, "-c", c, "-rate", rate, "-seconds", seconds, "-offset", offset, "-content", content, "-timeout", timeout]
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        preexec_fn=wait.dies_with_parent)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.running():
            self.process.kill()
            self.process.communicate()

    def running(self):
        return self.process.poll() is None

    def result(self, seconds=600):
        """What happened: requests, seconds, per_second, throttled, by_status {status: {count, p50_ms, p99_ms, messages}}."""
        out, err = self.process.communicate(timeout=seconds)
        if self.process.returncode != 0:
            raise AssertionError(f"load: {err}")
        return Result(json.loads(out))

    def stop(self):
        """Begins nothing new, waits for what is open."""
        return self.result()


class Result(dict):
    def count(self, *statuses):
        return sum(self["by_status"].get(str(status), {}).get("count", 0) for status in statuses)

    def other_than(self, *statuses):
        """{status: its messages} of everything else."""
        wanted = {str(status) for status in statuses}
        return {status: each.get("messages") for status, each in self["by_status"].items() if status not in wanted}

    def times(self, status):
        each = self["by_status"].get(str(status), {})
        return f"p50 {each.get('p50_ms', 0):.0f} ms, p99 {each.get('p99_ms', 0):.0f} ms"


class Witness:
    """Sums what is stored after every event of a watch of its own. `stop` says the most there ever was."""

    def __init__(self, user, namespaces, path="/api/v1/pods", measure="count"):
        command = [tools.tool("traffic"), "watch", *_who(user), "-server", f"https://{user.host}:{user.port}", "-path", path,
                   "-namespaces", ",".join(namespaces), "-measure", measure]
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=wait.dies_with_parent)
        assert self.process.stdout.readline() == "ready\n"

    def stop(self):
        out, _ = self.process.communicate(timeout=60)
        return json.loads(out)


class Proxy:
    """Stands between a client and one API server, with that server's own certificate."""

    numbers = itertools.count()

    def __init__(self, cluster, upstream=0, protocols="h2,http/1.1"):
        number = next(self.numbers)
        self.port, self.control_port = PROXY_PORT_FIRST + number, PROXY_PORT_FIRST + 500 + number
        pki = cluster.pki.dir
        command = [tools.tool("traffic"), "proxy", "-listen", f"{network.HOST}:{self.port}", "-control", f"127.0.0.1:{self.control_port}",
                   "-upstream", f"https://{network.HOST}:{cluster.api_port + upstream}", "-ca", cluster.pki.ca, "-cert", pki / "kube-apiserver.pem",
                   "-key", pki / "kube-apiserver.key", "-protocols", protocols]
        self.log = open(cluster.dir / f"proxy-{number}.log", "wb")
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        preexec_fn=wait.dies_with_parent)
        assert self.process.stdout.readline() == "ready\n"
        self.reset()
        cluster.closing.append(self.close)

    def _control(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=10)
        connection.request(method, path, body=json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise AssertionError(f"proxy: {text!r}")
        return json.loads(text) if text else None

    def rules(self, *rules):
        """What befalls requests from now on: see tests/e2e/tools/traffic/proxy.go. None: nothing."""
        self._control("PUT", "/rules", list(rules))

    def mode(self, mode):
        """pass, stall (not a byte either way), or refuse (closes and takes no connection)."""
        self._control("PUT", f"/mode/{urllib.parse.quote(mode)}")

    def drop(self):
        self._control("POST", "/drop")

    def counts(self):
        return self._control("GET", "/counts")

    def reset(self):
        wait.until(self._try_reset, 10, "the proxy's control port")

    def _try_reset(self):
        try:
            self._control("POST", "/reset")
            return True
        except OSError:
            return False

    def close(self):
        wait.end(self.process)
        self.log.close()
