"""Free ports of loopback, for programs that cannot be told to take one and say which."""

import socket


def free(count=1, address="127.0.0.1"):
    """So many ports that are free now, each another: all are held while they are chosen."""
    held = [socket.create_server((address, 0)) for _ in range(count)]
    found = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return found


def accepts(address, port):
    """Does anybody listen there?"""
    try:
        socket.create_connection((address, port), timeout=1).close()
        return True
    except OSError:
        return False
