"""Clients of Traefik that go on asking while a test breaks something, and remember each answer."""

import collections
import http.client
import re
import subprocess
import threading
import time

from . import wait

NOTHING = 0  # in place of a status: the connection broke


class Clients:
    """A context: `count` clients, each on a connection that it keeps, ask the same again and again."""

    def __init__(self, traefik, host, path="/web/login", count=8, tls=False, pause=0.0):
        self.traefik, self.host, self.path, self.tls, self.pause = traefik, host, path, tls, pause
        self.answers, self.lock, self.stopping = [], threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]

    def __enter__(self):
        for each in self.threads:
            each.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for each in self.threads:
            each.join(60)

    def _run(self):
        connection = self.traefik.connect(self.tls)
        while not self.stopping.is_set():
            begun = time.monotonic()
            try:
                status = self.traefik.get(self.path, host=self.host, connection=connection).status
            except (OSError, http.client.HTTPException):
                status = NOTHING
                connection.close()
            with self.lock:
                self.answers.append((begun, time.monotonic(), status))
            if self.pause:
                self.stopping.wait(self.pause)
        connection.close()

    def statuses(self, since=0.0):
        """{status: how often} of requests begun since then."""
        with self.lock:
            return collections.Counter(status for begun, _, status in self.answers if begun >= since)

    def until(self, status, count, since=None, seconds=30):
        """Waits until so many requests begun from now on were answered so."""
        since = time.monotonic() if since is None else since
        wait.until(lambda: self.statuses(since)[status] >= count, seconds, f"{count} answers {status}")

    def longest(self):
        """The longest that one waited, in seconds."""
        with self.lock:
            return max(ended - begun for begun, ended, _ in self.answers)


def h2load(traefik, url, n, clients, streams=1, h1=False):
    """{status class: count} of n requests over so many connections to Traefik, by nghttp2's h2load."""
    host, port = traefik.websecure if url.startswith("https:") else traefik.web
    command = ["h2load", *(["--h1"] if h1 else []), f"--connect-to={host}:{port}", "-n", str(n), "-c", str(clients), "-m", str(streams), "-t", "1", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    line = re.search(r"^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx$", done.stdout, re.M)
    if not line:
        raise AssertionError(f"h2load: {done.stdout}{done.stderr}")
    return dict(zip(("2xx", "3xx", "4xx", "5xx"), map(int, line.groups())))
