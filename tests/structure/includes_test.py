"""Folders are the architecture: who may include whom, and which libraries may appear where. Reads the #include lines."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# folder: the folders it may include besides itself. `base` may be used by all, `observe` by all but base and policy.
FOLDERS = {
    "base": [],
    "observe": ["base"],
    "policy": ["base"],
    "config": ["base", "observe", "policy"],
    "net": ["base", "observe"],
    "audit": ["base", "observe", "policy"],
    "kube": ["base", "observe", "net", "policy"],
    "webhook": ["base", "observe", "net", "kube", "policy", "config", "audit"],
    "guard": ["base", "observe", "net", "policy", "config", "audit"],
    "cli": ["base", "observe", "policy", "config", "net", "audit", "kube", "webhook", "guard"],
}
# Of policy, audit sees the decision alone.
ONLY = {("audit", "policy"): {"policy/decision.hpp"}}
# Of policy, kube sees what objects mean, and no rule.
ONLY_BELOW = {("kube", "policy"): "policy/object/"}
# A library is known by how its headers are named in an #include.
LIBRARIES = {
    "expected": r"tl/",
    "spdlog": r"(spdlog|fmt)/",
    "prometheus": r"prometheus/",
    "simdjson": r"simdjson",
    "nlohmann": r"nlohmann/",
    "re2": r"re2/",
    "libyaml": r"yaml\.h$",
    "date": r"date/",
    "boost": r"boost/",
    "openssl": r"openssl/",
    "nghttp2": r"nghttp2/",
    "zlib": r"zlib\.h$",
    "cli11": r"CLI/",
    "libical": r"libical/",
    "hiredis": r"hiredis/",
    "pugixml": r"pugixml\.hpp$",
}
USES = {
    "base": ["expected"],
    "observe": ["expected", "spdlog", "prometheus"],
    "policy": ["expected", "simdjson", "nlohmann", "re2", "libyaml", "date"],
    "config": ["expected"],
    "net": ["expected", "boost", "openssl", "nghttp2", "zlib"],
    "audit": ["expected", "nlohmann", "openssl"],
    "kube": ["expected", "simdjson", "nlohmann"],
    "webhook": ["expected", "simdjson", "nlohmann"],
    "guard": ["expected", "nlohmann", "hiredis", "pugixml"],
    "cli": list(LIBRARIES),
}
# What goes beyond the table, each with its reason.
ALSO = {
    "config/store.cpp": ["openssl"],  # the hash of a set of documents: SHA-256, from the library that the program links anyway
}
# C and POSIX headers are the standard library's; policy is pure and sees no socket, file, clock or thread of its own.
IMPURE = {"thread", "mutex", "future", "fstream", "filesystem", "sys/socket.h", "unistd.h", "fcntl.h", "sys/inotify.h", "time.h", "ctime"}


def files():
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".hpp", ".cpp", ".def"):
                yield folder, path.relative_to(ROOT), path.read_text()


def includes(text):
    return re.findall(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', text, re.M)


class Includes(unittest.TestCase):
    def test_there_is_something_to_read(self):
        self.assertGreater(sum(len(includes(text)) for _, _, text in files()), 50)

    def test_folders_point_downward(self):
        for folder, path, text in files():
            for mark, name in includes(text):
                if mark != '"':
                    continue
                with self.subTest(file=str(path), include=name):
                    target = name.split("/")[0]
                    self.assertTrue((ROOT / name).is_file(), "quoted includes name a file from the root")
                    self.assertIn(target, [folder, *FOLDERS[folder]], f"{folder} may not include {target}")
                    allowed = ONLY.get((folder, target))
                    if allowed and folder != target:
                        self.assertIn(name, allowed)
                    self.assertTrue(name.startswith(ONLY_BELOW.get((folder, target), "")))

    def test_no_part_of_policy_knows_the_engine(self):
        for _, path, text in files():
            if path.parts[0] == "policy" and len(path.parts) > 2:
                for mark, name in includes(text):
                    with self.subTest(file=str(path), include=name):
                        self.assertFalse(mark == '"' and re.fullmatch(r"policy/[^/]+\.hpp", name), "rules, documents and objects lie below the engine")

    def test_libraries_stay_where_they_belong(self):
        for folder, path, text in files():
            for mark, name in includes(text):
                if mark != "<":
                    continue
                library = next((key for key, pattern in LIBRARIES.items() if re.match(pattern, name)), None)
                with self.subTest(file=str(path), include=name):
                    if library is None:
                        self.assertRegex(name, r"^([a-z_0-9]+|(sys|netinet|arpa|net|linux)/[a-z_0-9]+\.h|[a-z_0-9]+\.h)$",
                                         "a library that the architecture does not know")
                    else:
                        self.assertIn(library, USES[folder] + ALSO.get(str(path), []), f"{folder} may not use {library}")

    def test_policy_is_pure(self):
        for folder, path, text in files():
            if folder == "policy":
                for mark, name in includes(text):
                    with self.subTest(file=str(path), include=name):
                        self.assertFalse(mark == "<" and name in IMPURE, "policy has no sockets, files, clock or threads of its own")

    def test_headers_say_once(self):
        for _, path, text in files():
            if path.suffix == ".hpp":
                with self.subTest(file=str(path)):
                    self.assertIn("#pragma once", text)
                    self.assertTrue(text.startswith("//"), "a file opens by telling its story")


if __name__ == "__main__":
    unittest.main()
