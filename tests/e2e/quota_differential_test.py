"""What objects use of a budget, by our arithmetic and by Kubernetes' own quota evaluators: the same for every object.

Needs Go and Kubernetes' modules (tests/differential/quota/go.mod), and our side of it, build/<preset>/tests/portcullis_usage_lines.
`python3 tests/e2e/quota_differential_test.py --record` writes the cases that the unit tests read without Go.
"""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUOTA = ROOT / "tests/differential/quota"
GOLDEN = ROOT / "tests/data/usage.jsonl"
VERSION = "v1.35.3"
CACHE = pathlib.Path(os.environ.get("PORTCULLIS_E2E_CACHE", pathlib.Path.home() / ".cache/portcullis-e2e"))
OBJECTS, RECORDED = 6_000, 240
sys.path.insert(0, str(QUOTA))
import objects  # noqa: E402


def kubernetes():
    """The Go program, built where its source is newer."""
    program = CACHE / f"quota-usage-{VERSION}"
    source = max((QUOTA / name).stat().st_mtime for name in ("main.go", "go.mod"))
    if not program.exists() or program.stat().st_mtime < source:
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run(["go", "build", "-mod=mod", "-o", program, "."], cwd=QUOTA, check=True)
    return program


def ours():
    for preset in ("release", "debug"):
        program = ROOT / "build" / preset / "tests/portcullis_usage_lines"
        if program.exists():
            return program
    raise FileNotFoundError("build the target portcullis_usage_lines first")


def ask(program, questions):
    lines = "".join(json.dumps(each) + "\n" for each in questions)
    answer = subprocess.run([program], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_our_usage_is_kubernetes_usage():
    questions = objects.objects(OBJECTS)
    theirs, mine = ask(kubernetes(), questions), ask(ours(), questions)
    assert len(theirs) == len(mine) == OBJECTS
    assert not [each for each in theirs if "error" in each]
    different = [(question, their, my) for question, their, my in zip(questions, theirs, mine) if their != my]
    shown = "\n".join(json.dumps(each) for each in different[:3])
    assert not different, f"{len(different)} of {OBJECTS} differ:\n{shown}"


def record():
    questions = objects.objects(RECORDED, seed=1)
    with GOLDEN.open("w") as file:
        for question, usage in zip(questions, ask(kubernetes(), questions)):
            file.write(json.dumps({**question, "usage": usage}) + "\n")


if __name__ == "__main__":
    record() if "--record" in sys.argv else test_our_usage_is_kubernetes_usage()
    print("fine")
