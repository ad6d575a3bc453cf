"""The house in order: every rule has its test and its page, words that mean "later" are not there, links lead somewhere,
and the packages are in one list."""

import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def tracked():
    """The files of the repository; in a tree without git, all but what was built."""
    done = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    names = done.stdout.split() if done.returncode == 0 else [
        str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file() and path.relative_to(ROOT).parts[0] not in ("build", ".git")]
    return [pathlib.Path(name) for name in names if (ROOT / name).is_file()]


def rules():
    text = (ROOT / "policy/rule/rules.def").read_text()
    return re.findall(r"^PORTCULLIS_RULE\((\w+)\)", text, re.M)


class House(unittest.TestCase):
    def test_every_rule_has_its_file_test_and_page(self):
        self.assertGreater(len(rules()), 0)
        for name in rules():
            identifier = name.replace("_", "-")
            with self.subTest(rule=identifier):
                self.assertTrue((ROOT / f"policy/rule/{name}.cpp").is_file())
                self.assertTrue((ROOT / f"tests/policy/rule_{name}_test.cpp").is_file())
                page = ROOT / f"docs/rules/{identifier}.md"
                self.assertTrue(page.is_file())
                self.assertIn(identifier, page.read_text())
                self.assertIn(f'"{identifier}"', (ROOT / f"policy/rule/{name}.cpp").read_text())

    def test_every_page_of_a_rule_has_its_rule(self):
        identifiers = {name.replace("_", "-") for name in rules()}
        for page in (ROOT / "docs/rules").glob("*.md"):
            with self.subTest(page=page.name):
                self.assertIn(page.stem, identifiers | {"README"})

    def test_every_parameter_is_on_the_page(self):
        for name in rules():
            text = (ROOT / f"policy/rule/{name}.cpp").read_text()
            page = (ROOT / f"docs/rules/{name.replace('_', '-')}.md").read_text()
            for parameter in re.findall(r'\.name = "(\w+)"', text):
                with self.subTest(rule=name, parameter=parameter):
                    self.assertIn(f"`{parameter}`", page)

    def test_nothing_is_left_for_later(self):
        words = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X:", "HA" + "CK"]))
        for path in tracked():
            if path.suffix in (".cpp", ".hpp", ".py", ".sh", ".md", ".yaml", ".txt", ".def", ".cmake"):
                with self.subTest(file=str(path)):
                    found = words.search((ROOT / path).read_text(errors="replace"))
                    self.assertIsNone(found, found and found.group(0))

    def test_links_in_the_docs_lead_somewhere(self):
        for path in tracked():
            if path.suffix != ".md":
                continue
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", (ROOT / path).read_text()):
                if re.match(r"[a-z]+:", target):
                    continue
                with self.subTest(file=str(path), link=target):
                    self.assertTrue((ROOT / path.parent / target).exists())

    def test_every_document_page_is_in_the_index(self):
        index = (ROOT / "docs/README.md").read_text()
        for page in [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs/rules").glob("*.md")]:
            name = str(page.relative_to(ROOT / "docs"))
            if name != "README.md":
                with self.subTest(page=name):
                    self.assertIn(f"]({name})", index)

    def test_no_orphans(self):
        for path in tracked():
            with self.subTest(file=str(path)):
                self.assertNotRegex(path.stem, r"^(util|utils|common|helper|helpers|manager|misc)$")


if __name__ == "__main__":
    unittest.main()
