// The words, options and exit codes of the program, by its own run().
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/catch.hpp"
#include "tests/cli/support.hpp"

using namespace portcullis::cli::test;

namespace {

// Sets a variable of the environment for the life of a test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

}  // namespace

TEST_CASE("unknown words exit 2 and suggest the nearest", "[cli][command]") {
  struct Case {
    const char* name;
    std::vector<std::string> words;
    const char* error;
  };
  const Case cases[] = {
      {"a command", {"chekc", "x.yaml"}, "unknown command `chekc` (did you mean `check`?)"},
      {"nothing near", {"frobnicate"}, "unknown command `frobnicate`\n"},
      {"a second word", {"config", "validat"}, "unknown command `config validat` (did you mean `validate`?)"},
      {"no second word", {"config"}, "`config` wants a second word: validate"},
      {"an option", {"check", "--confg", "d", "x.yaml"}, "unknown option `--confg` (did you mean `--config`?)"},
      {"an option with its value", {"check", "--outptu=json", "x.yaml"}, "unknown option `--outptu` (did you mean `--output`?)"},
      {"a short option", {"check", "-z", "x.yaml"}, "unknown option `-z`"},
      {"a value of -o", {"check", "--config", "d", "-o", "jsn", "x.yaml"}, "found `jsn`, want table or json (did you mean `json`?)"},
      {"a format of a later version", {"check", "--config", "d", "-o", "sarif", "x.yaml"}, "found `sarif`, want table or json"},
      {"a value of --operation",
       {"check", "--config", "d", "--operation", "update", "x.yaml"},
       "want CREATE, UPDATE or DELETE (did you mean `UPDATE`?)"},
      {"a value of --fail-on", {"check", "--config", "d", "--fail-on", "wanr", "x.yaml"}, "(did you mean `warn`?)"},
      {"an instant without offset", {"check", "--config", "d", "--at", "2026-11-20T08:00:00", "x.yaml"}, "want an instant with an offset"},
      {"no --config", {"check", "x.yaml"}, "--config is required"},
      {"no file", {"check", "--config", "d"}, "FILE is required"},
      {"an option without its value", {"check", "x.yaml", "--config"}, "--config"},
      {"UPDATE without --old", {"check", "--config", "d", "--operation", "UPDATE", "x.yaml"}, "wants --old"},
      {"CREATE with --old", {"check", "--config", "d", "--old", "o.yaml", "x.yaml"}, "--old is for"},
      {"too many words", {"version", "now"}, "now"},
      {"a flag of a later version", {"check", "--config", "d", "--verify-images", "x.yaml"}, "unknown option `--verify-images`"},
      {"a command of a later version", {"ledger", "show"}, "unknown command `ledger`"},
      {"no listener", {"guard", "--config", "d"}, "--listen is required"},
      {"the webhook without TLS", {"webhook", "--config", "d", "--listen", "127.0.0.1:0"}, "is required"},
      {"threads out of range", {"guard", "--config", "d", "--listen", "127.0.0.1:0", "--threads", "0"}, "--threads"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      const Answer answer = run_program(c.words);
      CHECK(answer.code == 2);
      CHECK(answer.out.empty());
      CAPTURE(answer.err);
      CHECK(answer.err.find(c.error) != std::string::npos);
    }
  }
}

TEST_CASE("help goes to standard output and leads with three examples", "[cli][command]") {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{{"--help"},
                                                                                     {"-h"},
                                                                                     {"help"},
                                                                                     {"check", "--help"},
                                                                                     {"check", "-h"},
                                                                                     {"config", "--help"},
                                                                                     {"config", "validate", "--help"},
                                                                                     {"webhook", "--help"},
                                                                                     {"guard", "--help"},
                                                                                     {"version", "--help"}}) {
    DYNAMIC_SECTION(words.front() << (words.size() > 1 ? words[1] : "")) {
      const Answer answer = run_program(words);
      CHECK(answer.code == 0);
      CHECK(answer.err.empty());
      const auto examples = answer.out.find("Examples:\n");
      REQUIRE(examples != std::string::npos);
      CHECK(examples < answer.out.find("Usage:"));
      const std::string lines = answer.out.substr(examples, answer.out.find("\n\n", examples) - examples);
      CHECK(std::count(lines.begin(), lines.end(), '\n') == 3);
    }
  }
  const Answer none = run_program({});
  CHECK(none.code == 2);
  CHECK(none.out.empty());
  CHECK(none.err.find("Commands:") != std::string::npos);
}

TEST_CASE("version", "[cli][command]") {
  CHECK(run_program({"version"}).out == "portcullis 0.1.0\n");
  CHECK(run_program({"--version"}).out == "portcullis 0.1.0\n");
  const auto json = nlohmann::json::parse(run_program({"version", "-o", "json"}).out);
  CHECK(json["schemaVersion"] == 1);
  CHECK(json["version"] == "0.1.0");
}

TEST_CASE("options come from the environment too, and a flag wins", "[cli][command]") {
  const Variable output("PORTCULLIS_OUTPUT", "json");
  CHECK(run_program({"version"}).out.front() == '{');
  CHECK(run_program({"version", "-o", "table"}).out == "portcullis 0.1.0\n");
  const TempDir dir;
  (void)dir.write("documents.yaml", documents);
  const Variable config("PORTCULLIS_CONFIG", dir.path().c_str());
  CHECK(run_program({"config", "validate"}).code == 0);
  CHECK(run_program({"config", "validate", "--config", "/nowhere"}).code == 2);
  const Variable wrong("PORTCULLIS_FAIL_ON", "always");
  CHECK(run_program({"check", "x.yaml"}).err.find("found `always`") != std::string::npos);
}

TEST_CASE("config validate", "[cli][command]") {
  const TempDir dir;
  const std::string where = dir.path().string();
  SECTION("a valid set is told in one line") {
    (void)dir.write("documents.yaml", documents);
    const Answer answer = run_program({"config", "validate", "--config", where});
    CHECK(answer.code == 0);
    CHECK(answer.err.empty());
    CHECK(answer.out.starts_with(
        "valid: platform hoster, 1 tenant, 3 policies of 4 rules, 0 exceptions, 0 calendars, no guard policy; sha256:"));
    CHECK(answer.out.size() == answer.out.find("sha256:") + 7 + 64 + 1);
  }
  SECTION("expired exceptions are listed") {
    std::string old(exception);
    for (const auto& [from, to] : {std::pair{"2026-11-01", "2025-11-01"}, std::pair{"2026-12-01", "2025-12-01"}})
      old.replace(old.find(from), 10, to);
    (void)dir.write("documents.yaml", std::string(documents) + old);
    const Answer answer = run_program({"config", "validate", "--config", where});
    CHECK(answer.code == 0);
    CHECK(answer.out.find("expired: exception acme-printer since 2025-12-01T00:00:00Z (documents.yaml:") != std::string::npos);
  }
  SECTION("all errors at once, with places an editor opens") {
    (void)dir.write("a/platform.yaml", "apiVersion: portcullis.dev/v1\nkind: Platform\nmetadata: {name: p}\nspec:\n  enviroments: [x]\n");
    (void)dir.write("b.yaml", "apiVersion: portcullis.dev/v1\nkind: Polcy\nmetadata: {name: p}\n");
    const Answer answer = run_program({"config", "validate", "--config", where});
    CHECK(answer.code == 2);
    CHECK(answer.out.empty());
    CAPTURE(answer.err);
    CHECK(answer.err.find("error: " + where + "/a/platform.yaml:5:3: ") != std::string::npos);
    CHECK(answer.err.find("(did you mean `environments`?)") != std::string::npos);
    CHECK(answer.err.find("error: " + where + "/b.yaml:2:") != std::string::npos);
    CHECK(answer.err.find("(did you mean `Policy`?)") != std::string::npos);
  }
  SECTION("what a rule refuses counts too") {
    std::string bad(documents);
    bad.replace(bad.find("min: 2"), 6, "min: 0");
    (void)dir.write("documents.yaml", bad);
    CHECK(run_program({"config", "validate", "--config", where}).code == 2);
  }
  SECTION("no such directory") { CHECK(run_program({"config", "validate", "--config", where + "/none"}).code == 2); }
}
