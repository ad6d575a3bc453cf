"""Route classes against werkzeug's routing: whatever Odoo routes to an endpoint of a class is of that class to the guard, or of a
stricter one, or refused.

    python3 tests/differential/routes_test.py           PORTCULLIS_SEED and PORTCULLIS_PATHS choose what is generated

Our side is build/debug/tests/portcullis_route_lines, or what PORTCULLIS_ROUTE_LINES names.
"""

import collections
import os
import pathlib
import random
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("PORTCULLIS_ROUTE_LINES", str(ROOT / "build/debug/tests/portcullis_route_lines"))
SEED = int(os.environ.get("PORTCULLIS_SEED", random.SystemRandom().randrange(1 << 32)))
PATHS = int(os.environ.get("PORTCULLIS_PATHS", 20_000))
ROUTED_SHARE_MIN = 0.2  # of what is generated Odoo must know so much, or the comparison says little
sys.path.insert(0, str(ROOT / "tests/differential"))
from routes import odoo, paths  # noqa: E402


def classify(questions):
    """(class, strictness) by the guard; strictness is None where it refuses."""
    lines = "".join(f"{method} {target}\n" for method, target in questions)
    done = subprocess.run([PROGRAM], input=lines.encode("utf-8", "surrogateescape"), stdout=subprocess.PIPE, check=True, timeout=120)
    found = [line.split() for line in done.stdout.decode().splitlines()]
    if len(found) != len(questions):
        raise AssertionError(f"{len(questions)} questions, {len(found)} answers")
    return [("refused", None) if words == ["refused"] else (words[0], int(words[1])) for words in found]


def strictness():
    """{class: rank} of docs/odoo-routes.md."""
    text = (ROOT / "docs/odoo-routes.md").read_text()
    return {name: int(rank) for name, rank in re.findall(r"^\| `([a-z0-9-]+)` \| (\d+) \|", text, re.M)}


class Routes(unittest.TestCase):
    ranks = strictness()

    def test_a_route_as_odoo_writes_it_has_its_class(self):
        source = random.Random(1)
        for classes, rule in odoo.ROUTES:
            reading, writing = (classes + "/" + classes).split("/")[:2]
            target = paths.filled(source, rule)
            with self.subTest(rule=rule):
                self.assertEqual([name for name, _ in classify([("GET", target), ("POST", target)])], [reading, writing], target)
                self.assertIn(odoo.route(odoo.path_infos("GET", target)[0], "GET"), (reading, "static"))

    def test_ranks_are_those_of_the_page(self):
        self.assertEqual({name: rank for name, rank in classify([("GET", "/web/database/manager"), ("POST", "/web/login"), ("GET", "/web/health")])},
                         {name: self.ranks[name] for name in ("db-admin", "login", "health")})

    def test_no_spelling_makes_a_class_less_strict(self):
        source = random.Random(SEED)
        questions = [(source.choice(paths.METHODS), paths.target(source)) for _ in range(PATHS)]
        routed, looser = collections.Counter(), []
        for (method, target), (name, rank) in zip(questions, classify(questions)):
            for path in odoo.path_infos(method, target):
                wanted = odoo.route(path, method)
                if wanted is None:
                    continue
                routed[wanted] += 1
                if rank is not None and rank < self.ranks[wanted]:
                    looser.append(f"{method} {target!r}: Odoo sees {path!r}, class {wanted}; the guard says {name}")
        print(f"seed {SEED}: {sum(routed.values())} of {PATHS} paths are routed, to {len(routed)} classes", file=sys.stderr)
        shown = "\n".join(looser[:10])
        self.assertTrue(not looser, f"{len(looser)} looser; PORTCULLIS_SEED={SEED} PORTCULLIS_PATHS={PATHS} repeats it\n{shown}")
        self.assertGreater(sum(routed.values()), PATHS * ROUTED_SHARE_MIN)
        self.assertEqual(set(self.ranks) - set(routed), set(), "classes that no path reached")


if __name__ == "__main__":
    unittest.main()
