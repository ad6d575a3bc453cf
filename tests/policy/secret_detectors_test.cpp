// What each detector sees and what it leaves alone, one value at a time; the quick questions before them beside slow ones.
#include "policy/rule/secret_detectors.hpp"

#include <chrono>
#include <random>
#include <string>

#include "policy/rule/secret_shapes.hpp"
#include "policy/rule/secret_triggers.hpp"
#include "policy/rule/secret_words.hpp"
#include "tests/catch.hpp"

using namespace portcullis::policy::rule;

namespace {

// "name 16, token@3 a GitHub token 40 base64": the detector, the line where there are several, the shape, the bytes.
std::string seen(std::string_view name, std::string_view value, const std::vector<std::string>& ids = {},
                 std::vector<std::string> allow_names = {}) {
  const SecretDetectors detectors(ids, std::move(allow_names));
  Sightings sightings;
  detectors.look(name, value, sightings);
  std::string text;
  for (const Sighting& s : sightings.all()) {
    if (!text.empty()) text += ", ";
    text += detector_names[static_cast<std::size_t>(s.detector)];
    if (s.line > 0) text += "@" + std::to_string(s.line);
    if (!s.shape.empty()) text += " " + std::string(s.shape);
    if (!s.name.empty()) text += " " + std::string(s.name);
    text += " " + std::to_string(s.end - s.begin);
    if (s.encoded) text += " base64";
  }
  return text;
}

std::string base64(std::string_view text) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    unsigned bits = 0;
    for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += i + k <= text.size() ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

// Token-shaped text is put together here, so that no scanner takes this file for a leak.
std::string joined(std::string_view prefix, std::string_view rest) { return std::string(prefix) + std::string(rest); }

const std::string random40 = "q7Zt4Kd9xW2mB8vR5nL1cY6hF3sJ0pG7aT4eU9iQ";
const std::string hex40 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b";

}  // namespace

TEST_CASE("secret detectors: a name and its value", "[policy][secret]") {
  struct Case {
    const char *name, *value, *want;
  };
  const Case cases[] = {
      {"EDI_PASSWORD", "demo-4f9Qz81xLmT2", "name EDI_PASSWORD 17"},
      {"PGPASSWORD", "x", "name PGPASSWORD 1"},
      {"admin_passwd", "admin", "name admin_passwd 5"},
      {"adminPassword", "hunter2", "name adminPassword 7"},
      {"SMTP_PASS", "12345", "name SMTP_PASS 5"},
      {"pwd", "hunter2", "name pwd 7"},
      {"apiKey", "abc", "name apiKey 3"},
      {"X-Api-Key", "abc", "name X-Api-Key 3"},
      {"AWS_SECRET_ACCESS_KEY", "abc", "name AWS_SECRET_ACCESS_KEY 3"},
      {"clientSecret", "abc", "name clientSecret 3"},
      {"GITHUB_TOKEN", "abc", "name GITHUB_TOKEN 3"},
      {"acme.example/db-password", "abc", "name acme.example/db-password 3"},
      {"PASSWORD_ODOO", "abc", "name PASSWORD_ODOO 3"},
      {"passphrase", "abc", "name passphrase 3"},
      {"SMTP_PASS2", "abc", "name SMTP_PASS2 3"},
      {"DB_PASSWORD", "${PW:-hunter2}", "name DB_PASSWORD 14"},
      {"DB_PASSWORD", "$(echo hunter2)", "name DB_PASSWORD 15"},
      {"DB_PASSWORD", "hunter2$(EMPTY)", "name DB_PASSWORD 15"},
      {"DB_PASSWORD", "/hunter2", "name DB_PASSWORD 8"},
      // references, places, switches, masks
      {"PGPASSWORD", "", ""},
      {"PGPASSWORD", "$(DB_PASSWORD)", ""},
      {"PGPASSWORD", "${DB_PASSWORD}", ""},
      {"PGPASSWORD", "$DB_PASSWORD", ""},
      {"PGPASSWORD", "{{ .Values.password }}", ""},
      {"PGPASSWORD", "ENC[AES256_GCM,data:abc]", ""},
      {"PGPASSWORD", "vault:secret/data/db#password", ""},
      {"PGPASSWORD", "/run/secrets/db", ""},
      {"PGPASSWORD", "********", ""},
      {"PGPASSFILE", "/run/secrets/pgpass", ""},
      {"PASSWORD_FILE", "/run/secrets/x", ""},
      {"ADMIN_PASSWORD_PATH", "/run/secrets/x", ""},
      {"SECRET_NAME", "acme-db", ""},
      {"secretName", "acme-tls", ""},
      {"TOKEN_URL", "https://login.acme.example/token", ""},
      {"ACCESS_KEY_ID", "acme-backup", ""},
      {"existingSecret", "acme-db", ""},
      {"nginx.ingress.kubernetes.io/auth-secret", "acme/basic", ""},
      {"secret.reloader.stakater.com/reload", "acme-db,acme-smtp", ""},
      {"adminPasswordKey", "postgres-password", ""},
      {"passwordPolicy", "strong", ""},
      {"auth_password_policy.minlength", "12", ""},
      {"MAX_TOKENS", "4096", ""},
      {"requirePassword", "true", ""},
      {"USE_PASSWORD", "yes", ""},
      {"key", "password", ""},
      {"compass", "north", ""},
      {"OLDPWD", "x", ""},
      {"monkey", "banana", ""},
      {"PGHOST", "db1.meridian.svc", ""},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name << "=" << c.value) { CHECK(seen(c.name, c.value) == c.want); }
  }
  SECTION("names are exempted whole or by their beginning") {
    CHECK(seen("MAP_TOKEN", "abc", {}, {"MAP_TOKEN"}).empty());
    CHECK(seen("MAP_TOKEN_2", "abc", {}, {"MAP_TOKEN"}) == "name MAP_TOKEN_2 3");
    CHECK(seen("MAP_TOKEN_2", "abc", {}, {"MAP_*"}).empty());
    CHECK(seen("MAP_TOKEN", joined("ghp_", random40), {}, {"MAP_TOKEN"}) == "token a GitHub token 44");
  }
}

TEST_CASE("secret detectors: URLs, keys, tokens, authorization", "[policy][secret]") {
  struct Case {
    const char* name;
    std::string value, want;
  };
  const Case cases[] = {
      {"password in a URL", "postgres://odoo:hunter2@db:5432/odoo", "url a password in a URL 7"},
      {"short URL", "a://b:c@d", "url a password in a URL 1"},
      {"no user", "redis://:hunter2@redis:6379", "url a password in a URL 7"},
      {"unescaped slash", "postgres://odoo:hun/ter2@db/odoo", "url a password in a URL 8"},
      {"second URL", "https://a.example/x https://u:p4ss@b.example", "url a password in a URL 4"},
      {"reference in a URL", "postgres://odoo:$(PGPASSWORD)@db/odoo", ""},
      {"shell reference in a URL", "postgres://odoo:${PGPASSWORD}@db/odoo", ""},
      {"user alone", "https://odoo@db.example/x", ""},
      {"port and an at sign in the path", "https://db.example:8069/@acme/x", ""},
      {"masked", "https://odoo:***@db.example/x", ""},
      {"PEM", "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "pem@1 a private key 39"},
      {"OpenSSH", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn", "pem@1 a private key 42"},
      {"PuTTY", "PuTTY-User-Key-File-2: ssh-rsa", "pem a private key 30"},
      {"certificate",
       "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ\n-----END CERTIFICATE-----\n", ""},
      {"public key of OpenSSH", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl a@b", ""},
      {"AWS", joined("AKIA", "IOSFODNN7EXAMPLE"), "token an AWS access key 20"},
      {"GitHub", joined("ghp_", random40), "token a GitHub token 44"},
      {"GitHub fine", joined("github_pat_", random40), "token a GitHub token 51"},
      {"GitLab", joined("glpat-", "q7Zt4Kd9xW2mB8vR5nL1"), "token a GitLab token 26"},
      {"Slack", joined("xoxb-", "123456789012-abcdefghij"), "token a Slack token 28"},
      {"Stripe", joined("sk_live_", "q7Zt4Kd9xW2mB8vR5nL1cY6h"), "token a Stripe key 32"},
      {"Google", joined("AIza", "SyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe"), "token a Google API key 39"},
      {"npm", joined("npm_", random40), "token an npm token 44"},
      {"DigitalOcean", joined("dop_v1_", hex40 + hex40), "token a DigitalOcean token 87"},
      {"Docker", joined("dckr_pat_", "q7Zt4Kd9xW2mB8vR5nL1"), "token a Docker Hub token 29"},
      {"Vault", joined("hvs.", "CAESIJlWh3q7Zt4Kd9xW2mB8"), "token a Vault token 24"},
      {"SendGrid", joined("SG.", "q7Zt4Kd9xW2mB8vR5nL1cY.hF3sJ0pG7aT4eU9iQq7Zt4Kd9xW2mB8vR5nL1cY6hF3"),
       "token a SendGrid key 22, entropy a random-looking value 43"},
      {"age", joined("AGE-SECRET-KEY-1", "QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGP7"), "token an age key 57"},
      {"web token", joined("eyJhbGciOiJIUzI1NiJ9.", "eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"), ""},
      {"in a sentence", "use " + joined("ghp_", random40) + " please", "token a GitHub token 44"},
      {"Basic", "Basic " + base64("odoo:hunter2"), "authorization Basic credentials 16"},
      {"Basic in a command", "curl -H 'Authorization: Basic " + base64("odoo:hunter2") + "' http://x",
       "authorization Basic credentials 16"},
      {"Basic without a password", "Basic " + base64("odoo:"), ""},
      {"basic as a word", "basic authentication is off", ""},
      {"Bearer", "Authorization: Bearer abcdef123456", "authorization a bearer token 12"},
      {"Bearer reference", "Bearer $(TOKEN)", ""},
      {"bearer as a word", "the bearer authentication of the proxy", ""},
      {"apr1", "odoo:$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00", "authorization a password hash 37"},
      {"bcrypt", "odoo:$2y$10$abcdefghijklmnopqrstuuVwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01", "authorization a password hash 62"},
      {"sha", "odoo:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "authorization a password hash 33"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      if (std::string_view(c.name) == "web token")
        CHECK(seen("x", c.value).substr(0, 27) == "token a JSON web token 20, ");
      else
        CHECK(seen("x", c.value) == c.want);
    }
  }
}

TEST_CASE("secret detectors: what looks random", "[policy][secret]") {
  struct Case {
    const char* what;
    std::string name, value, want;
  };
  const Case cases[] = {
      {"base62", "x", random40, "entropy a random-looking value 40"},
      {"base62 of 20", "x", "q7Zt4Kd9xW2mB8vR5nL1", "entropy a random-looking value 20"},
      {"19 bytes are too few", "x", "q7Zt4Kd9xW2mB8vR5nL", ""},
      {"above the bound it is a blob", "x",
       [] {
         std::string s;
         while (s.size() <= 1024) s += random40;
         return s;
       }(),
       ""},
      {"lower case and digits", "x", "q7zt4kd9xw2mb8vr5nl1cy6hf3sj0pg7", "entropy a random-looking value 32"},
      {"hexadecimal", "x", hex40, "entropy a random-looking value 40"},
      {"a commit", "GIT_COMMIT", hex40, ""},
      {"a checksum annotation", "checksum/config", hex40 + "9f86d081884c7d659a2feaa0", ""},
      {"a commit in an argument", "args", "--commit=" + hex40, ""},
      {"an image digest", "x", "registry.example/odoo@sha256:" + hex40 + "9f86d081884c7d659a2feaa0", ""},
      {"integrity", "x", "sha384-oqVuAfXRKap7fdgcCY5uykM6R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC", ""},
      {"a UUID", "x", "0df28fbd-5f5f-41e8-bc74-36e6bb280816", ""},
      {"a host", "x", "odoo-web.meridian-finance-prod.svc.cluster.local", ""},
      {"a path", "x", "/opt/odoo/custom_addons/l10n_ch_qr_invoice_2026/models", ""},
      {"CamelCase", "x", "ApplicationControllerServiceAccount2Name", ""},
      {"a time", "x", "20261123T171613Z-20261124T171613Z", ""},
      {"digits", "x", "1234567890123456789012345678901234567890", ""},
      {"a pod's name", "x", "odoo-7d4b9c6f5d-x2x9k-7d4b9c6f5d-x2x9k", ""},
      {"a database filter", "x", "--db-filter=^meridian1$", ""},
      {"base64 of a sentence", "x", base64("this is only a sentence for people"), ""},
      {"base64 of a password", "x", base64("db_password = hunter2\n"), "name a credential 30 base64"},
      {"base64 of a URL", "x", base64("postgres://odoo:hunter2@db/odoo"), "url a password in a URL 42 base64"},
      {"base64 of a random value", "x", base64(random40), "entropy a random-looking value 54 base64"},
      {"base64 of a key", "x", base64("-----BEGIN RSA PRIVATE KEY-----\nMIIE"), "pem a private key 48 base64"},
      {"base64 of a certificate", "caBundle",
       base64("-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBa\n-----END CERTIFICATE-----\n"), ""},
      {"a picture", "x", "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk", ""},
      {"DER of a private key", "x", base64(std::string("\x30\x82\x04\xa4\x02\x01\x00\x02\x82\x01\x01\x00", 12) + random40),
       "pem a private key 70"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.what) { CHECK(seen(c.name, c.value) == c.want); }
  }
}

TEST_CASE("secret detectors: lines, flags and pairs in longer text", "[policy][secret]") {
  struct Case {
    const char* what;
    std::string text, want;
  };
  const Case cases[] = {
      {"odoo.conf", "[options]\ndb_host = db\nadmin_passwd = hunter2\ndb_password = hunter3\n",
       "name@3 admin_passwd 7, name@4 db_password 7"},
      {"a commented line leaks too", "[options]\n; admin_passwd = hunter2\n", "name@2 admin_passwd 7"},
      {"empty in ini", "[options]\nadmin_passwd =\ndb_password = False\n", ""},
      {"environment file", "PGHOST=db\nexport PGPASSWORD='hunter2'\n", "name@2 PGPASSWORD 7"},
      {"YAML", "db:\n  password: hunter2\n  token: \"abc\"\n", "name@2 password 7, name@3 token 3"},
      {"YAML block", "password: |\n  hunter2\n", "name@2 password 7"},
      {"YAML reference", "db:\n  passwordSecretRef:\n    name: acme-db\n    key: password\n", ""},
      {"YAML pair", "env:\n- name: PGPASSWORD\n  value: hunter2\n", "name@3 PGPASSWORD 7"},
      {"YAML valueFrom", "env:\n- name: PGPASSWORD\n  valueFrom:\n    secretKeyRef: {name: a, key: b}\n", ""},
      {"JSON", R"({"host":"db","password":"hunter2"})", "name password 7"},
      {"JSON empty", R"({"password":"","user":"odoo"})", ""},
      {"JSON in JSON", R"({\"password\":\"hunter2\"})", "name password 7"},
      {"JSON pair", R"({"env":[{"name":"PGPASSWORD","value":"hunter2"}]})", "name PGPASSWORD 7"},
      {"JSON reference", R"({"env":[{"name":"PGPASSWORD","valueFrom":{"secretKeyRef":{"key":"password","name":"x"}}}]})", ""},
      {"JSON flag", R"({"args":["--db_password","hunter2"]})", "name db_password 7"},
      {"XML", "<login><password>hunter2</password></login>", "name password 7"},
      {"XML attribute", "<db password=\"hunter2\"/>", "name password 7"},
      {"flag", "--db_password=hunter2", "name db_password 7"},
      {"flag in a command", "odoo --db_password hunter2 --workers 4", "name db_password 7"},
      {"flag with a reference", "odoo --db_password $(PGPASSWORD) -i base", ""},
      {"flag without a value", "odoo --password --workers 4", ""},
      {"shell", "PGPASSWORD=hunter2 psql -h db", "name PGPASSWORD 7"},
      {"shell with a reference", "PGPASSWORD=$(cat /run/secrets/db) psql", ""},
      {"query", "https://api.example/v1?token=hunter2&x=1", "name token 7"},
      {"header in a command", "curl -H 'X-Api-Key: hunter2' http://x", "name X-Api-Key 7"},
      {"Python", "password = os.environ['PGPASSWORD']\ntoken = get_token(x)\nconnect(password=password)\n", ""},
      {"comparison", "if password == other:\n", ""},
      {"template", "password = {{ .Values.password }}\n", ""},
      {"prose", "remember that the password: is in the vault", ""},
      {"prose about tokens", "Rotates every token and all secrets weekly", ""},
      {"a file's place", "password_file = /run/secrets/db\n", ""},
      {"user in a log format", "%(token)s", ""},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.what) { CHECK(seen("odoo.conf", c.text) == c.want); }
  }
  SECTION("a file is judged by what is in it, whatever its name") {
    CHECK(seen("reset-password.html", "<html>\n<p>Reset your password</p>\n").empty());
    CHECK(seen("password.txt", "hunter2\n") == "name password.txt 8");
  }
  SECTION("at most sixteen of one text") {
    std::string many;
    for (int i = 0; i < 40; ++i) many += "password = hunter2\n";
    const SecretDetectors detectors({}, {});
    Sightings sightings;
    detectors.look("x", many, sightings);
    CHECK(sightings.all().size() == sightings_max);
  }
}

TEST_CASE("secret detectors: each may be chosen alone", "[policy][secret]") {
  const std::string all = "password = hunter2\npostgres://o:hunter2@db\n-----BEGIN PRIVATE KEY-----\n-----END\n" +
                          joined("ghp_", random40) + "\nBasic " + base64("odoo:hunter2") + "\n" + random40 + "\n";
  CHECK(seen("x", all, {"name"}) == "name@1 password 7");
  CHECK(seen("x", all, {"url"}) == "url@2 a password in a URL 7");
  CHECK(seen("x", all, {"pem"}) == "pem@3 a private key 28");
  CHECK(seen("x", all, {"token"}) == "token@5 a GitHub token 44");
  CHECK(seen("x", all, {"authorization"}) == "authorization@6 Basic credentials 16");
  CHECK(seen("x", all, {"url", "pem"}) == "pem@3 a private key 28, url@2 a password in a URL 7");
}

TEST_CASE("secret detectors: base64 of any length", "[policy][secret]") {
  const SecretDetectors detectors({}, {});
  Sightings sightings;
  // Behind every seam of the pieces in which it is read.
  for (std::size_t before = 0; before < 9000; before += 997) {
    const std::string text = base64(std::string(before, ' ') + "\nadmin_passwd = hunter2\n");
    CAPTURE(before);
    detectors.look_in_base64("odoo.conf", text, sightings);
    REQUIRE(sightings.all().size() == 1);
    CHECK(sightings.all().front().encoded);
  }
  detectors.look_in_base64("x", base64(std::string(9000, 'x')), sightings);
  CHECK(sightings.empty());
  detectors.look_in_base64("x", "%%% not base64 %%%", sightings);
  CHECK(sightings.empty());
}

TEST_CASE("secret triggers: never a no that is wrong", "[policy][secret]") {
  std::mt19937 random(20261123);
  const std::string_view alphabet = "aAbsSkKeEpPwWtTcCrRuUoOdDyY:/-$2{h =._iI";
  const auto slow_word = [](std::string_view text) {
    for (std::size_t at = 0; at < text.size(); ++at)
      if (word_begins(text, at)) return true;
    return false;
  };
  const auto slow_run = [](std::string_view text) {
    std::size_t run = 0;
    for (const char c : text) {
      run = is_run_byte(c) ? run + 1 : 0;
      if (run >= run_bytes_min) return true;
    }
    return false;
  };
  std::size_t words = 0, runs = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string text(random() % 70, ' ');
    for (char& c : text) c = random() % 16 == 0 ? ' ' : alphabet[random() % alphabet.size()];
    text.shrink_to_fit();
    CAPTURE(text);
    if (slow_word(text)) {
      ++words;
      REQUIRE((triggers_in(text) & word_triggers) != 0);
    }
    if (text.find("://") != text.npos || text.find("---") != text.npos) REQUIRE((triggers_in(text) & mark_triggers) != 0);
    runs += slow_run(text);
    REQUIRE(has_run(text) == slow_run(text));
  }
  CHECK(words > 1000);
  CHECK(runs > 1000);
  for (std::size_t pad = 0; pad < 40; ++pad)
    for (std::size_t tail = 0; tail < 20; ++tail) {
      CAPTURE(pad, tail);
      REQUIRE((triggers_in(std::string(pad, '#') + "PassWd" + std::string(tail, '#')) & word_triggers) != 0);
      REQUIRE(triggers_in(std::string(pad + tail, '#')) == 0);
    }
}

TEST_CASE("secret shapes: random values are seen, words are not", "[policy][secret]") {
  std::mt19937 random(20261123);
  const std::string_view base62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  for (const std::size_t bytes : {20, 24, 32, 40, 64, 128}) {
    int seen_count = 0;
    constexpr int rounds = 20'000;
    for (int round = 0; round < rounds; ++round) {
      std::string text(bytes, ' ');
      for (char& c : text) c = base62[random() % base62.size()];
      seen_count += is_random(text);
    }
    CAPTURE(bytes, seen_count);
    CHECK(seen_count > rounds * (bytes <= 24 ? 93 : 98) / 100);
  }
}

TEST_CASE("secret detectors: hostile text takes no longer than its length allows", "[policy][secret]") {
  const SecretDetectors detectors({}, {});
  Sightings sightings;
  for (const std::string_view part :
       {"password=", "password='", "x://a:b/", "://", "$(", "-----BEGIN PRIVATE KEY-----", "-----BEGIN CERTIFICATE-----", "passpass",
        "Basic ", "{{", "aA1", "--password ", "\\\"password\\\":", "ghp_", "eyJ", "-", "password: |\n", "<password>", "x://a:${"}) {
    std::string text;
    while (text.size() < 1'000'000) text += part;
    CAPTURE(part);
    const auto begin = std::chrono::steady_clock::now();
    detectors.look("x", text, sightings);
    // A quadratic step over a megabyte would take minutes.
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
  }
}
