"""Formatting, static analysis, shell scripts, and every header by itself.

    lint.py BUILD_DIR [FILE...]

BUILD_DIR holds compile_commands.json of a build without precompiled headers. Each job is one file and one tool; all cores
work at once. The last line is `N passed, N failed`; the exit code is 1 when one failed.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("base", "observe", "config", "policy", "net", "audit", "kube", "webhook", "guard", "cli", "bench", "tests")
JOB_SECONDS_MAX = 600  # one file under clang-tidy; the heaviest, full of Asio, takes about a minute
# The headers that only net/ sees need these two (CMakeLists.txt gives them to the whole target).
HEADER_FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-march=x86-64-v2", "-I.",
                "-DBOOST_ASIO_SEPARATE_COMPILATION", "-DBOOST_BEAST_SEPARATE_COMPILATION", "-DBOOST_ASIO_NO_DEPRECATED",
                '-DPORTCULLIS_PROGRAM="portcullis"', '-DPORTCULLIS_SOURCE_DIR="."']

# clang 14's analyzer does not see that a coroutine's promise is constructed: what Asio keeps there is uninitialized to it.
# It says so in Asio's own header, where nothing of ours can speak to it. What it says anywhere else stands.
UNSEEN_PROMISE = re.compile(r"/usr/include/boost/asio/impl/awaitable\.hpp:\d+:\d+: error: "
                            r"(Called C\+\+ object pointer is uninitialized \[clang-analyzer-core\.CallAndMessage"
                            r"|Access to field '\w+' results in a dereference of an undefined pointer value .*"
                            r"\[clang-analyzer-core\.NullDereference)[],]")


def sources(*suffixes):
    return sorted(path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in suffixes)


def run(command, text=None):
    try:
        done = subprocess.run(command, cwd=ROOT, input=text, stdin=None if text is not None else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=JOB_SECONDS_MAX)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        return 1, f"no end after {JOB_SECONDS_MAX} s"


def formatted(path):
    return run(["clang-format-14", "--dry-run", "-Werror", str(path)])


def stands_alone(path):
    flags = HEADER_FLAGS if os.uname().machine == "x86_64" else [flag for flag in HEADER_FLAGS if not flag.startswith("-march")]
    return run(["g++", *flags, "-x", "c++", "-"], f'#include "{path}"\n')


def stands_alone_in_its_source(header, analysed_sources):
    """A source that includes its own header before all else is the proof, and clang-tidy compiles it anyway."""
    source = header.with_suffix(".cpp")
    if source not in analysed_sources:
        return False
    first = re.search(r'^#include ["<]([^">]+)[">]', (ROOT / source).read_text(), re.MULTILINE)
    return first is not None and first.group(1) == str(header)


def analysed(build):
    def job(path):
        code, output = run(["clang-tidy-14", "-p", str(build), "--quiet", str(path)])
        findings = re.findall(r"^\S+:\d+:\d+: (?:fatal )?error: .*$", output, re.MULTILINE)
        return 0 if findings and all(UNSEEN_PROMISE.match(finding) for finding in findings) else code, output
    return job


def main():
    build = pathlib.Path(sys.argv[1])
    wanted = {pathlib.Path(word) for word in sys.argv[2:]}
    known = {pathlib.Path(entry["file"]).resolve() for entry in json.loads((build / "compile_commands.json").read_text())}

    # Tests are formatted and warning-free like everything else; clang-tidy reads the program and the benchmarks, where
    # Catch2's macros do not drown what it says. The heaviest files first, so that the last core does not wait alone.
    tidy = [path for path in sources(".cpp") if path.parts[0] != "tests" and (ROOT / path).resolve() in known]
    tidy.sort(key=lambda path: (path.parts[0] not in ("net", "webhook", "guard", "cli"), -(ROOT / path).stat().st_size))
    scripts = sorted(path.relative_to(ROOT) for path in [*(ROOT / "scripts").glob("*.sh"), *(ROOT / "certs").glob("*.sh"), ROOT / ".ci/run"])
    jobs = [("clang-tidy", analysed(build), path) for path in tidy]
    proofs = {path for path in tidy if not wanted or path in wanted}
    jobs += [("stands alone", stands_alone, path) for path in sources(".hpp") if not stands_alone_in_its_source(path, proofs)]
    jobs += [("clang-format", formatted, path) for path in sources(".cpp", ".hpp")]
    jobs += [("shellcheck", lambda path: run(["shellcheck", "--severity=warning", str(path)]), path) for path in scripts]
    if wanted:
        jobs = [job for job in jobs if job[2] in wanted]

    passed = failed = 0
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        def work(entry):
            started = time.monotonic()
            code, output = entry[1](entry[2])
            return entry[0], entry[2], code, output, time.monotonic() - started
        slowest, spent = [], {}
        for tool, path, code, output, seconds in pool.map(work, jobs):
            slowest.append((seconds, tool, path))
            spent[tool] = spent.get(tool, 0) + seconds
            if code == 0:
                passed += 1
            else:
                failed += 1
                print(f"--- {tool} {path}\n{output.strip()}", flush=True)
    for seconds, tool, path in sorted(slowest, reverse=True)[:5]:
        print(f"slowest: {seconds:5.1f} s {tool} {path}")
    print("of one core: " + ", ".join(f"{seconds:.0f} s {tool}" for tool, seconds in spent.items()))
    print(f"{len(jobs)} checks in {time.monotonic() - begun:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not jobs else 0


if __name__ == "__main__":
    sys.exit(main())
