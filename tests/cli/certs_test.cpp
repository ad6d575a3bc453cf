// portcullis certs: made, looked at, and how soon they end.
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/catch.hpp"
#include "tests/cli/certificate.hpp"
#include "tests/cli/support.hpp"

using namespace portcullis::cli::test;

namespace {

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

unsigned mode_of(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0 ? found.st_mode & 0777U : 0;
}

}  // namespace

TEST_CASE("certs init makes an authority once and leaves each time", "[cli][certs]") {
  const TempDir dir;
  const std::string certs = (dir.path() / "certs").string();
  const Answer first = run_program({"certs", "init", "--dir", certs, "--namespace", "gate"});
  CAPTURE(first.err);
  REQUIRE(first.code == 0);
  CHECK(first.out.find("caBundle   LS0tLS1CRUdJTi") != std::string::npos);
  CHECK(first.out.find("PRIVATE") == std::string::npos);
  for (const char* name : {"ca", "portcullis-webhook", "portcullis-guard"}) {
    CHECK(mode_of(certs + "/" + name + ".key") == 0600);
    CHECK(mode_of(certs + "/" + name + ".pem") == 0644);
  }
  CHECK(mode_of(certs) == 0700);
  const std::string authority = read(certs + "/ca.pem"), leaf = read(certs + "/portcullis-webhook.pem");
  REQUIRE(run_program({"certs", "init", "--dir", certs, "--namespace", "gate"}).code == 0);
  CHECK(read(certs + "/ca.pem") == authority);
  CHECK(read(certs + "/portcullis-webhook.pem") != leaf);

  const auto json =
      nlohmann::json::parse(run_program({"certs", "inspect", certs + "/portcullis-webhook.pem", "-o", "json"}).out)["certificates"][0];
  CHECK(json["subject"] == "CN=portcullis-webhook");
  CHECK(json["dnsNames"][0] == "portcullis-webhook.gate.svc");
  CHECK(json["daysLeft"] == 365);
  CHECK(json["isAuthority"] == false);
}

TEST_CASE("certs init refuses what would not work", "[cli][certs]") {
  const TempDir dir;
  const std::string certs = dir.path().string();
  CHECK(run_program({"certs", "init", "--dir", certs, "--service", "a,DNS:evil"}).code == 2);
  CHECK(run_program({"certs", "init", "--dir", certs, "--namespace", "Gate"}).code == 2);
  CHECK(run_program({"certs", "init", "--dir", certs, "--lifetime", "soon"}).code == 2);
  const CertificatePair other = make_certificate("other");
  (void)dir.write("ca.pem", other.certificate);
  const Answer missing = run_program({"certs", "init", "--dir", certs});
  CHECK(missing.code == 2);
  CHECK(missing.err.find("ca.key") != std::string::npos);
  (void)dir.write("ca.key", make_certificate("another").key);
  CHECK(run_program({"certs", "init", "--dir", certs}).err.find("the key does not belong to the certificate") != std::string::npos);
}

TEST_CASE("certs inspect shows a chain and says whether it is whole", "[cli][certs]") {
  const TempDir dir;
  const std::string certs = dir.path().string();
  REQUIRE(run_program({"certs", "init", "--dir", certs, "--service", "portcullis-webhook"}).code == 0);
  const std::string authority = read(certs + "/ca.pem"), leaf = read(certs + "/portcullis-webhook.pem");
  const Answer whole = run_program({"certs", "inspect", dir.write("chain.pem", leaf + authority)});
  CHECK(whole.code == 0);
  CHECK(whole.out.find("certificate  1 of 2\nsubject      CN=portcullis-webhook\nissuer       CN=Portcullis CA\n") == 0);
  CHECK(whole.out.find("issuer       CN=Portcullis CA (itself)\n") != std::string::npos);
  CHECK(whole.out.find("\nchain        whole\n") != std::string::npos);
  const Answer broken = run_program({"certs", "inspect", dir.write("broken.pem", leaf + make_certificate("x").certificate)});
  CHECK(broken.out.find("\nchain        unable to get local issuer certificate\n") != std::string::npos);
  CHECK(run_program({"certs", "inspect", certs + "/portcullis-webhook.key"}).code == 2);
  CHECK(run_program({"certs", "inspect", certs + "/nothing"}).code == 2);
  CHECK(run_program({"certs", "inspect", certs}).code == 2);
  CHECK(run_program({"certs", "inspect", "127.0.0.1:1"}).code == 2);
}

TEST_CASE("certs expires: 0 good, 1 soon or past, 2 not judged", "[cli][certs]") {
  const TempDir dir;
  const std::string week = dir.write("week.pem", make_certificate("week", 7).certificate);
  const std::string past = dir.write("past.pem", make_certificate("past", -1).certificate);
  struct Case {
    const char* name;
    std::vector<std::string> words;
    int code;
    const char* out;
  };
  const Case cases[] = {
      {"later than asked", {"--within", "P3D", week}, 0, "good      "},
      {"within", {"--within", "P8D", week}, 1, "ends soon "},
      {"30 days unless said", {week}, 1, "ends soon "},
      {"past", {"--within", "1s", past}, 1, "expired   "},
      {"unreadable beats soon", {week, dir.path().string() + "/none"}, 2, "ends soon "},
      {"no duration", {"--within", "soon", week}, 2, ""},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      std::vector<std::string> words{"certs", "expires"};
      words.insert(words.end(), c.words.begin(), c.words.end());
      const Answer answer = run_program(words);
      CHECK(answer.code == c.code);
      CHECK(answer.out.find(c.out) == 0);
    }
  }
}
