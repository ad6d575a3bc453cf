"""Waiting on a condition, with a deadline; and processes that end when they are told to."""

import contextlib
import ctypes
import signal
import subprocess
import time

POLL_SECONDS = 0.05
END_SECONDS_MAX = 10
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)  # looked up before any fork


def until(condition, seconds=30, what="the condition", poll=POLL_SECONDS):
    """What `condition` returns once that is true; an assertion fails when it never is."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds} s; last: {found!r}")
        time.sleep(poll)


def dies_with_parent():
    """For a child before it becomes its program: killed when the thread that started it is gone, however that ended."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def end(process, seconds=END_SECONDS_MAX):
    """Ends a process of ours, in peace if it lets us; a stopped one is woken first."""
    if process is None or process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
