"""Runs test programs one after the other and adds up what they say.

    suites.py BUILD_DIR [SUITE...] [--scripts]

A suite is BUILD_DIR/tests/portcullis_test_<folder> (Catch2); with --scripts the tests of the code itself
(tests/structure/*.py), those that compare parts of it with others' (tests/differential/*.py), those that drive
build/portcullis or $PORTCULLIS_PROGRAM over its sockets (tests/integration/*.py) and the demo run too. A program that crashes, hangs or runs no test case is a failure.
The last line is `N passed, N failed`; the exit code is 1 when one failed.
"""

import pathlib
import re
import subprocess
import sys
import time

SUITE_SECONDS_MAX = 900  # a suite that takes longer hangs; the slowest takes a minute or two under TSan


def catch_totals(output):
    """(passed, failed) from the last line of Catch2's console reporter, or None when there is none."""
    everything = re.findall(r"^All tests passed \(\d+ assertions? in (\d+) test cases?\)", output, re.M)
    if everything:
        return int(everything[-1]), 0
    line = re.findall(r"^test cases: *(\d+)(.*)$", output, re.M)
    if not line:
        return None
    failed = re.search(r"(\d+) failed(?! as expected)", line[-1][1])
    failed = int(failed.group(1)) if failed else 0
    return int(line[-1][0]) - failed, failed


def run(name, command, count):
    """Runs one program; prints its output only when something is wrong. Returns (passed, failed)."""
    started = time.monotonic()
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=SUITE_SECONDS_MAX)
        output, code = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as hung:
        output, code = (hung.stdout or b"").decode(errors="replace"), f"no end after {SUITE_SECONDS_MAX} s"
    totals = count(output, code)
    if totals is None or (code != 0 and totals[1] == 0):  # crashed, hung, or a sanitizer's report
        totals = ((totals or (0, 0))[0], 1)
    passed, failed = totals
    if failed == 0 and passed == 0:
        failed = 1
    print(f"{name:<28} {passed:>5} passed, {failed} failed   {time.monotonic() - started:6.1f} s", flush=True)
    if failed:
        print(f"--- {name}: exit code {code}\n{output}\n---", flush=True)
    return passed, failed


def main():
    words = [word for word in sys.argv[1:] if word != "--scripts"]
    build, wanted = pathlib.Path(words[0]), words[1:]
    root = pathlib.Path(__file__).resolve().parent.parent
    passed = failed = 0
    programs = sorted((build / "tests").glob("portcullis_test_*"))
    ran = 0
    for program in programs:
        suite = program.name.removeprefix("portcullis_test_")
        if not program.is_file() or (wanted and suite not in wanted):
            continue
        ran += 1
        p, f = run(suite, [str(program.resolve())], lambda output, code: catch_totals(output))
        passed, failed = passed + p, failed + f
    # Every folder of tests must have been built and run: a suite that vanishes is not a suite that passes.
    folders = {path.parent.name for path in root.glob("tests/*/*_test.cpp")}
    expected = {folder for folder in folders if not wanted or folder in wanted}
    if ran < len(expected):
        print(f"built only {ran} of {len(expected)} suites: {', '.join(sorted(expected))}")
        failed += 1
    if "--scripts" in sys.argv:
        def unittest_totals(output, code):
            line = re.search(r"^Ran (\d+) tests?", output, re.M)
            if not line:
                return None
            bad = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", output))
            return max(0, int(line.group(1)) - bad), bad
        scripts = [path for folder in ("structure", "differential", "integration") for path in (root / "tests" / folder).glob("*_test.py")]
        for script in sorted(scripts):
            p, f = run(f"{script.parent.name}/{script.stem}", [sys.executable, str(script)], unittest_totals)
            passed, failed = passed + p, failed + f
        p, f = run("demo", [str(root / "scripts" / "demo.sh")], lambda output, code: (1, 0) if code == 0 else (0, 1))
        passed, failed = passed + p, failed + f
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
