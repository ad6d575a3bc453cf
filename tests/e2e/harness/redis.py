"""A redis-server of a test's own: on a free port and a unix socket, with an ACL user beside the default one, and its faults."""

import socket
import subprocess

from . import ports, wait
from .peer import Peer

READY_SECONDS_MAX = 10
ADDRESS = "127.0.0.1"


class Redis(Peer):
    """A context. user, password: may do only what `rules` say (redis.io, ACL); the default user is switched off then."""

    def __init__(self, user=None, password=None, rules="~* &* +@all", options=()):
        super().__init__("redis")
        self.port, self.socket = ports.free()[0], self.dir / "redis.sock"
        self.user, self.password = user, password
        acl = self.dir / "users.acl"
        acl.write_text(f"user default off\nuser {user} on >{password} {rules}\n" if user else "user default on nopass ~* &* +@all\n")
        self.command = ["redis-server", "--port", str(self.port), "--bind", ADDRESS, "--unixsocket", str(self.socket), "--dir", str(self.dir), "--save", "",
                        "--appendonly", "no", "--aclfile", str(acl), "--logfile", str(self.dir / "log"), *map(str, options)]
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self):
        """Starts it, or starts it again, empty, at the same address."""
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=wait.dies_with_parent)
        wait.until(self._ready, READY_SECONDS_MAX, "redis-server's answer", poll=0.01)

    def _ready(self):
        if self.process.poll() is not None:
            log = self.dir / "log"
            raise AssertionError(f"redis-server ended with {self.process.returncode}: {log.read_text() if log.exists() else ''}")
        try:
            return self.ask("PING") == "+PONG"
        except OSError:
            return False

    def ask(self, *words):
        """The first line of the answer to one command; as the ACL user where there is one."""
        with socket.create_connection((ADDRESS, self.port), timeout=5) as connection, connection.makefile("rwb") as stream:
            commands = [("AUTH", self.user, self.password)] if self.user else []
            for command in [*commands, words]:
                stream.write(f"*{len(command)}\r\n".encode() + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in (str(each).encode() for each in command)))
                stream.flush()
                answer = stream.readline().decode().rstrip("\r\n")
        return answer
