"""A program that a test runs for itself: its process, and a folder of its own that goes with it."""

import pathlib
import shutil
import signal
import tempfile

from . import wait


def resident_bytes(process):
    """What it holds in memory; 0 once it has ended."""
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


class Peer:
    """A context. Whoever derives from it starts `process`."""

    def __init__(self, name):
        self.dir, self.process = pathlib.Path(tempfile.mkdtemp(prefix=f"portcullis-{name}-")), None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        wait.end(self.process)
        shutil.rmtree(self.dir, ignore_errors=True)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def pause(self, stopped=True):
        """It is there and says nothing, as when its machine hangs; or goes on."""
        self.process.send_signal(signal.SIGSTOP if stopped else signal.SIGCONT)
