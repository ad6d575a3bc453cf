#include "audit/line.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/catch.hpp"

namespace portcullis::audit {
namespace {

constexpr Moment moment{1795445187'123456, 9'123'456'789};

template <class Record>
std::string written(const Record& record, const Moment& at = moment) {
  LineFormat format("b1c2");
  std::string out(frame_text_bytes_max, '~');
  const LineSizes sizes = format.write(record, at, out.data());
  out.resize(sizes.before + sizes.after);
  return out.insert(sizes.before, "|");  // where the hash goes
}

TEST_CASE("an admission as a line", "[audit]") {
  const std::array<std::string_view, 2> rules{"image-digest", "replica-floor"};
  AdmissionRecord record;
  record.uid = "705ab4f5-6393-11e8-b7cc-42010a800002";
  record.operation = "CREATE";
  record.resource = "apps/v1/deployments";
  record.kind = "Deployment";
  record.name_space = "t-acme";
  record.name = "odoo";
  record.tenant = "acme";
  record.user = "system:serviceaccount:argocd:ctrl";
  record.verdict = "deny";
  record.rules = rules;
  record.exception = "acme-hotfix";
  record.reason = "image has no digest: spec.containers[odoo].image: found `odoo:17`";
  record.policy_hash = "sha256:ab";
  record.change_ticket = "CHG-7";
  record.approved_by = "ops@example.org";
  record.door = "validate";
  record.microseconds = 410;
  record.deadline_ms = 9000;
  record.patched = true;
  CHECK(written(record) ==
        R"("t":"2026-11-23T14:46:27.123456Z","mono":9123456789,"boot":"b1c2","kind":"admission","door":"validate",)"
        R"("uid":"705ab4f5-6393-11e8-b7cc-42010a800002","op":"CREATE","res":"apps/v1/deployments","object":"Deployment",)"
        R"("ns":"t-acme","name":"odoo","tenant":"acme","who":"system:serviceaccount:argocd:ctrl","verdict":"deny",)"
        R"("rules":["image-digest","replica-floor"],"exception":"acme-hotfix",)"
        R"("reason":"image has no digest: spec.containers[odoo].image: found `odoo:17`","policy":"sha256:ab"|,)"
        R"("us":410,"dry":false,"deadline_ms":9000,"patched":true,"ticket":"CHG-7","approved_by":"ops@example.org"})");
}

TEST_CASE("what a record does not have is left out", "[audit]") {
  AdmissionRecord admission;
  admission.verdict = "allow";
  CHECK(written(admission) == R"("t":"2026-11-23T14:46:27.123456Z","mono":9123456789,"boot":"b1c2","kind":"admission","verdict":"allow",)"
                              R"("rules":[]|,"us":0,"dry":false,"deadline_ms":0,"patched":false})");
  GuardRecord guard;
  guard.verdict = "pass";
  CHECK(written(guard) == R"("t":"2026-11-23T14:46:27.123456Z","mono":9123456789,"boot":"b1c2","kind":"guard","verdict":"pass"|,)"
                          R"("status":0,"shadow":false,"us":0})");
}

TEST_CASE("a forward-auth decision as a line", "[audit]") {
  GuardRecord record;
  record.tenant = "acme";
  record.route_class = "login";
  record.verdict = "slow";
  record.reason = "login-ip";
  record.method = "POST";
  record.path = "/web/login?db=acme&token=not-for-the-log";
  record.status = 429;
  record.shadow = true;
  record.policy_hash = "sha256:ab";
  record.microseconds = 7;
  CHECK(written(record) ==
        R"("t":"2026-11-23T14:46:27.123456Z","mono":9123456789,"boot":"b1c2","kind":"guard","tenant":"acme","class":"login",)"
        R"("verdict":"slow","reason":"login-ip","method":"POST","path":"/web/login"|,)"
        R"("status":429,"shadow":true,"policy":"sha256:ab","us":7})");
}

TEST_CASE("the second is written anew when it changes", "[audit]") {
  LineFormat format("b");
  GuardRecord record;
  std::string out(frame_text_bytes_max, '~');
  const auto time_at = [&](std::int64_t microseconds) {
    format.write(record, {microseconds, 0}, out.data());
    return out.substr(5, 27);
  };
  CHECK(time_at(1795445187'000001) == "2026-11-23T14:46:27.000001Z");
  CHECK(time_at(1795445187'999999) == "2026-11-23T14:46:27.999999Z");
  CHECK(time_at(1795445188'000000) == "2026-11-23T14:46:28.000000Z");
  CHECK(time_at(1795445187'500000) == "2026-11-23T14:46:27.500000Z");  // a clock set back
  CHECK(time_at(951'868'799'000000) == "2000-02-29T23:59:59.000000Z");
}

TEST_CASE("config and gap lines", "[audit]") {
  CHECK(config_line(moment, "b1c2", "refused", "sha256:ab", "policies/a.yaml:3:1 \"x\"\n") ==
        R"("t":"2026-11-23T14:46:27.123456Z","mono":9123456789,"boot":"b1c2","kind":"config","event":"refused","policy":"sha256:ab",)"
        R"("detail":"policies/a.yaml:3:1 \"x\"\n"})");
  CHECK(gap_line(moment, "b1c2", 12, "buffer_full") ==
        R"("t":"2026-11-23T14:46:27.123456Z","mono":9123456789,"boot":"b1c2","kind":"gap","lost":12,"why":"buffer_full"})");
  CHECK(line_start("a\"b") == R"({"v":1,"log":"a\"b","seq":)");
}

// Every field far over its bound, of bytes that grow sixfold: still a whole line, still JSON, still within the bound.
TEST_CASE("no line passes its bound", "[audit]") {
  const std::string origin(5000, '\x01');
  for (const std::string& filler :
       {std::string(100'000, '\x01'), std::string(100'000, 'x'), std::string(100'000, '\xff'), std::string(100'000, '"')}) {
    const std::vector<std::string_view> rules(1000, filler);
    AdmissionRecord admission;
    for (std::string_view* field :
         {&admission.uid, &admission.operation, &admission.resource, &admission.kind, &admission.name_space, &admission.name,
          &admission.tenant, &admission.user, &admission.verdict, &admission.exception, &admission.reason, &admission.policy_hash,
          &admission.change_ticket, &admission.approved_by, &admission.door}) {
      *field = filler;
    }
    admission.rules = rules;
    admission.microseconds = admission.deadline_ms = INT64_MIN;
    GuardRecord guard;
    for (std::string_view* field :
         {&guard.tenant, &guard.route_class, &guard.verdict, &guard.reason, &guard.method, &guard.path, &guard.policy_hash})
      *field = filler;
    const std::string start = line_start(origin) + "18446744073709551615,";
    const std::string hash = R"(,"in":"hmac:0123456789abcdef0123456789abcdef")";
    for (std::string line : {written(admission), written(guard)}) {
      line.replace(line.find('|'), 1, hash);
      line.insert(0, start);
      CHECK(line.size() + 1 <= line_bytes_max);
      CHECK(nlohmann::json::accept(line));
    }
    const std::string config = start + config_line(moment, "b1c2", filler, filler, filler);
    CHECK(config.size() + 1 <= line_bytes_max);
    CHECK(nlohmann::json::accept(config));
  }
}

// What comes in at a field comes out at it after a JSON parser, for every byte.
TEST_CASE("strings keep their bytes", "[audit]") {
  std::string every_ascii;
  for (int byte = 0; byte < 0x80; ++byte) every_ascii += static_cast<char>(byte);
  for (const std::string& value : {every_ascii, std::string("Zürich \u2028\u202e 😀"), std::string("\ufb33 \U0001f600 e\u0301")}) {
    AdmissionRecord record;
    record.reason = value;
    std::string line = written(record);
    line.erase(line.find('|', line.find("\"us\"") - 2), 1);
    CHECK(nlohmann::json::parse("{" + line)["reason"] == value);
  }
}

}  // namespace
}  // namespace portcullis::audit
