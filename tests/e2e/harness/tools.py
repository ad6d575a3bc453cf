"""Where the programs are that the tests run: built or found by tests/e2e/tools/build.sh, which `make e2e` runs first."""

import os
import pathlib
import shutil

ROOT = pathlib.Path(__file__).resolve().parents[3]
TOOLS = ROOT / "tests/e2e/tools"
CACHE = pathlib.Path(os.environ.get("PORTCULLIS_E2E_CACHE", pathlib.Path.home() / ".cache/portcullis-e2e"))
PROGRAM = pathlib.Path(os.environ.get("PORTCULLIS_PROGRAM", ROOT / "build/portcullis")).resolve()


def tool(name):
    """The path of a tool of tests/e2e/tools, newest version first."""
    found = sorted(CACHE.glob(f"*/{name}"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise AssertionError(f"{name} is not in {CACHE}: run tests/e2e/tools/build.sh")
    return found[-1]


def etcd(version):
    """Debian's 3.4, or 3.6 of our own build, which WatchList and consistent lists from the cache need."""
    if version == "3.6":
        return tool("etcd36")
    found = shutil.which("etcd")
    if not found:
        raise AssertionError("etcd is not installed: scripts/setup.sh e2e")
    return pathlib.Path(found)
