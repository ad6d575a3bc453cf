"""Paths as clients, mistaken and malicious ones, may write them: a route with its gaps filled, then spelt in another way."""

import re
import urllib.parse

from . import odoo

METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "post", "PROPFIND")
WORDS = ("a", "1", "42", "sale.report_saleorder", "res.partner", "x-7", "static", "webhook", "login", "web", "%C3%A9", "a%20b", "a+b", "été")
PREFIXES = (*odoo.LANGUAGES, "f", "fr_FR", "en_GB", "FR", "xx", "web", "odoo", "fr-BE", "_x", "@", "e", "es", "kab_DZ", "static", ".", "..", "%66r", "fr_BE@euro")
SUFFIXES = ("/", "//", "/.", "/..", "/x", ";x=1", "/;x=1", "%2F", "%2f", ".html", "?debug=1", "?a=/web/health", "?", "%20", "+", "%00", "%0a", "#x", "&", "é", "%C3%A9", "%c0%af",
            "／", "\\", "%5c", "%zz", "%", "~", "%252F")


def filled(random, rule):
    """A path that the rule matches."""
    def value(found):
        converter = found.group(1) or ""
        if converter == "int:":
            return str(random.randrange(1000))
        if converter == "path:":
            return "/".join(random.choice(WORDS) for _ in range(random.randint(1, 3)))
        return random.choice(converter[4:-2].split(",")) if converter.startswith("any(") else random.choice(WORDS)
    return re.sub(r"<([\w(),]+:)?(\w+)>", value, rule)


def escaped(random, path):
    """Some characters percent-encoded, in either case, now and then twice."""
    share = random.choice((0.05, 0.3, 1))
    out = ""
    for character in path:
        if random.random() > share:
            out += character
            continue
        code = "".join(f"%{byte:02{random.choice('xX')}}" for byte in character.encode())
        out += code.replace("%", "%25") if random.random() < 0.03 else code
    return out


def slashed(random, path):
    at = [place for place, character in enumerate(path) if character == "/"]
    for place in sorted(random.sample(at, random.randint(min(1, len(at)), len(at))), reverse=True):
        path = path[:place] + random.choice(("//", "///", "/./", "/x/../", "/%2e/", "/x/%2e%2E/", "%2F", "%2f", "\\", "/\\", "%5C", "//./", "/;/")) + path[place + 1:]
    return path


def cased(random, path):
    return "".join(random.choice((str.upper, str.lower, str))(character) for character in path)


def spelt(random, path):
    changes = {"prefix": lambda: "/" + random.choice(PREFIXES) + path, "suffix": lambda: path + random.choice(SUFFIXES), "escape": lambda: escaped(random, path),
               "slash": lambda: slashed(random, path), "case": lambda: cased(random, path), "language": lambda: "/" + random.choice(list(odoo.LANGUAGES)) + path,
               "below": lambda: random.choice(("/web/health", "/web/static", "/web/image", "/payment/stripe/webhook", "/x")) + random.choice(("/..", "/../..", "/%2e%2e", "/../../..")) + path,
               "cut": lambda: path[:random.randrange(1, len(path) + 1)] or "/", "host": lambda: random.choice(("http://erp.example", "//erp.example", "/")) + path}
    return changes[random.choice(list(changes))]()


def target(random):
    """One request target that can stand on a request line."""
    _, rule = random.choice(odoo.ROUTES) if random.random() > 0.06 else ("static", "/" + random.choice(odoo.MODULES) + "/static/<path:p>")
    path = filled(random, rule)
    for _ in range(random.choice((0, 1, 1, 2, 2, 3))):
        path = spelt(random, path)
    if random.random() < 0.1:
        path += "?" + urllib.parse.urlencode({"debug": random.choice(("", "0", "1", "assets"))})
    return re.sub(r"[\s]", "%20", path)
