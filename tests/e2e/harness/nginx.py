"""A real nginx of a test's own, in front of Odoo, with a configuration of the test."""

import http.client
import subprocess

from . import ports, wait
from .peer import Peer

READY_SECONDS_MAX = 10
ADDRESS = "127.0.0.1"

MAIN = """daemon off;
worker_processes 1;
pid {dir}/pid;
error_log {dir}/error.log info;
events {{ worker_connections 512; }}
http {{
  access_log {dir}/access.log;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
{http}
}}
"""


class Nginx(Peer):
    """A context. http: what goes into the http block, with {port} where it is to listen. `address` is (host, port)."""

    def __init__(self, http_block):
        super().__init__("nginx")
        self.dir.chmod(0o755)  # nginx's workers are another user when the test is root
        port = ports.free()[0]
        self.address = (ADDRESS, port)
        configuration = self.dir / "nginx.conf"
        configuration.write_text(MAIN.format(dir=self.dir, http=http_block.replace("{port}", str(port))))
        try:
            with open(self.dir / "output", "wb") as output:
                self.process = subprocess.Popen(["nginx", "-p", str(self.dir), "-c", str(configuration), "-e", str(self.dir / "error.log")], stdin=subprocess.DEVNULL,
                                                stdout=output, stderr=output, preexec_fn=wait.dies_with_parent)
            wait.until(self._ready, READY_SECONDS_MAX, "nginx's listener")
        except BaseException:
            said = self.said()
            self.close()
            raise AssertionError(f"nginx does not serve: {said}") from None

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError("nginx ended")
        return ports.accepts(*self.address)

    def said(self):
        return "".join(file.read_text(errors="replace") for file in (self.dir / "output", self.dir / "error.log") if file.exists())

    def connect(self):
        return http.client.HTTPConnection(*self.address, timeout=30)
