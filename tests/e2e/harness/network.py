"""A network of the test run's own.

`enter` moves the calling process, and so all that it starts, into a fresh network namespace with a bridge in it: the API
servers listen on the bridge's address, and each pod gets a namespace of its own, joined to the bridge by a pair of links.
All of it vanishes with the last process inside; nothing of the machine's own network is touched.
"""

import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
BRIDGE = "portcullis0"
HOST = "10.244.0.1"       # the bridge: API servers, etcd and test clients
PREFIX = 16
POD_ADDRESS_FIRST = 16    # 10.244.0.16 and on


class NotPermitted(RuntimeError):
    pass


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def enter():
    """Moves this process into a network namespace of its own. Once; before it has threads."""
    if os.environ.get("PORTCULLIS_E2E_NETWORK") == str(os.getpid()):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise NotPermitted(f"cannot make a network namespace ({os.strerror(code)}): run as root, in a container with CAP_SYS_ADMIN and CAP_NET_ADMIN")
    try:
        ip("link", "set", "lo", "up")
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("addr", "add", f"{HOST}/{PREFIX}", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
    except RuntimeError as wrong:
        raise NotPermitted(f"cannot make a bridge in the network namespace: {wrong}") from wrong
    os.environ["PORTCULLIS_E2E_NETWORK"] = str(os.getpid())


class Addresses:
    """Addresses for pods: none is given twice, so that no connection of one pod reaches its successor."""

    def __init__(self):
        self.next = POD_ADDRESS_FIRST

    def take(self):
        number = self.next
        self.next += 1
        return f"10.244.{number // 250}.{number % 250 + 1}"


def join(pid, address, name):
    """Joins the network namespace of `pid` to the bridge, as eth0 with this address."""
    ip("link", "add", name, "mtu", "1500", "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    ip("link", "set", name, "master", BRIDGE, "up")
    inside = f"""ip link set lo up
        ip addr add {address}/{PREFIX} dev eth0
        ip link set eth0 up
        ip route add default via {HOST}"""
    done = subprocess.run(["nsenter", "-t", str(pid), "-n", "sh", "-ec", inside], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"pod network: {done.stderr.strip()}")


def cut(name, down=True):
    """Takes a pod off the network, or puts it back."""
    ip("link", "set", name, "down" if down else "up")
