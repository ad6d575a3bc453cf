// The comparison of what is held with a list, by a clock of its own: digests, the journal, the verdict.
#include "kube/self_check.hpp"

#include <set>
#include <string>
#include <vector>

#include "kube/usage_table.hpp"
#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::kube;
using namespace std::chrono_literals;

namespace {

constexpr Clock::time_point start{1'000'000s};

std::string item(const std::string& name, const std::string& version) {
  return R"({"metadata":{"namespace":"a","name":")" + name + R"(","uid":"u-)" + name + R"(","resourceVersion":")" + version + "\"}}";
}
Result<ApiResponse> page(const std::string& items, const std::string& version, const std::string& next = "") {
  return ApiResponse{
      200, R"({"metadata":{"resourceVersion":")" + version + R"(","continue":")" + next + R"("},"items":[)" + items + "]}", "", {}};
}
Mark mark(const std::string& name, const std::string& version) { return mark_of("a", name, "u-" + name, version); }
// What is held: of usage, objects given as name and version.
Holding held(const std::vector<std::pair<std::string, std::string>>& objects) {
  Digest digest;
  for (const auto& [name, version] : objects) digest.add(mark(name, version));
  return {std::nullopt, digest};
}
SelfCheck listed(const std::string& items, const std::string& version) {
  SelfCheck check(Resource{"", "v1", "pods", "Pod"}, {});
  REQUIRE(check.listed(page(items, version), start) == SelfCheck::Listing::whole);
  return check;
}

}  // namespace

TEST_CASE("digest: every field counts, the order does not", "[kube]") {
  std::set<Mark> marks{mark_of("a", "b", "c", "1"), mark_of("x", "b", "c", "1"), mark_of("a", "x", "c", "1"), mark_of("a", "b", "x", "1"),
                       mark_of("a", "b", "c", "2"), mark_of("ab", "", "c", "1"), mark_of("", "ab", "c", "1"), mark_of("a", "bc", "", "1")};
  CHECK(marks.size() == 8);
  CHECK(held({{"p", "1"}, {"q", "2"}}).usage == held({{"q", "2"}, {"p", "1"}}).usage);
  CHECK_FALSE(held({{"p", "2"}, {"q", "1"}}).usage == held({{"p", "1"}, {"q", "2"}}).usage);
  Digest digest = *held({{"p", "1"}, {"q", "2"}}).usage;
  digest.drop(mark("p", "1"));
  CHECK(digest == *held({{"q", "2"}}).usage);
}

TEST_CASE("digest: a usage table keeps its own up as it is counted", "[kube]") {
  UsageTable table("pods", std::make_shared<UsageShapes>());
  const auto tell = [](const UsageChange&) {};
  const auto put = [&](const char* name, const char* uid, const char* version) {
    table.put({"a", name}, {.uid = uid, .version = version, .usage = {}, .expires = std::nullopt, .after = {}}, tell);
    CHECK(table.digest() == table.count_digest());
  };
  put("p", "1", "5");
  put("p", "1", "6");
  put("p", "1", "6");
  put("p", "2", "7");  // created anew
  put("q", "3", "8");
  CHECK(table.digest().objects == 2);
  table.remove({"a", "q"}, "9", tell);
  CHECK(table.digest() == table.count_digest());
  Digest alone;
  alone.add(mark_of("a", "p", "2", "7"));
  CHECK(table.digest() == alone);
  table.begin();
  table.end("10", tell);
  CHECK(table.digest() == Digest{});
}

TEST_CASE("journal: what was held at each version", "[kube]") {
  StateJournal journal("10", held({{"p", "5"}}), held({{"p", "5"}}));
  journal.note("12", held({{"p", "12"}}));
  journal.note("15", held({}));
  CHECK_FALSE(journal.at("9"));
  CHECK(journal.at("10")->usage == held({{"p", "5"}}).usage);
  CHECK(journal.at("11")->usage == held({{"p", "5"}}).usage);
  CHECK(journal.at("12")->usage == held({{"p", "12"}}).usage);
  CHECK(journal.at("100")->usage == held({}).usage);
  CHECK_FALSE(journal.at("opaque"));
  CHECK_FALSE(journal.spoiled());
  SECTION("what was counted is what counts") {
    StateJournal off("10", held({{"p", "5"}, {"ghost", "1"}}), held({{"p", "5"}}));
    off.note("12", held({{"p", "12"}}));
    CHECK(off.at("12")->usage == held({{"p", "12"}, {"ghost", "1"}}).usage);
  }
  SECTION("versions that fall") {
    journal.note("14", held({}));
    CHECK(journal.spoiled());
  }
  SECTION("versions of no order") { CHECK(StateJournal("x", held({}), held({})).spoiled()); }
  SECTION("too many changes") {
    for (std::size_t count = 0; count < StateJournal::entries_max; ++count) journal.note("20", held({}));
    CHECK(journal.spoiled());
  }
}

TEST_CASE("self-check: pages of one version, or no list", "[kube]") {
  SelfCheck check(Resource{"", "v1", "pods", "Pod"}, {});
  CHECK(check.request().target == "/api/v1/pods?limit=500");
  CHECK(check.request().accept.find("PartialObjectMetadataList") != std::string::npos);
  REQUIRE(check.listed(page(item("p", "5") + R"(,{"metadata":{"name":"without-uid"}})", "20", "t/1"), start) == SelfCheck::Listing::more);
  CHECK(check.version() == "20");
  CHECK(check.request().target == "/api/v1/pods?limit=500&continue=t%2F1");
  SECTION("to its end") {
    CHECK(check.listed(page(item("q", "6"), "20"), start) == SelfCheck::Listing::whole);
    CHECK(check.objects() == 2);
  }
  SECTION("another version") { CHECK(check.listed(page("", "21"), start) == SelfCheck::Listing::failed); }
  SECTION("a token that is too old") { CHECK(check.listed(ApiResponse{410, "{}", "", {}}, start) == SelfCheck::Listing::failed); }
  SECTION("no answer") { CHECK(check.listed(fail(ErrorKind::unavailable, "peer", "away"), start) == SelfCheck::Listing::failed); }
  SECTION("no list") { CHECK(check.listed(ApiResponse{200, "<html>", "", {}}, start) == SelfCheck::Listing::failed); }
}

TEST_CASE("self-check: the verdict", "[kube]") {
  using Verdict = SelfCheck::Verdict;
  const SelfCheck check = listed(item("p", "5") + "," + item("q", "18"), "20");
  const auto judge = [&](const StateJournal& journal, const char* version, std::chrono::seconds after = 0s,
                         std::chrono::seconds progress = 0s) { return check.judge(journal, version, start + progress, start + after); };
  const Holding before = held({{"p", "5"}}), right = held({{"p", "5"}, {"q", "18"}}), later = held({{"p", "22"}, {"q", "18"}});
  StateJournal journal("10", before, before);
  SECTION("the watch has not come so far") {
    CHECK(judge(journal, "10") == Verdict::pending);
    journal.note("18", right);
    CHECK(judge(journal, "18") == Verdict::same);  // nothing was left out: it need not go on
    journal.note("22", later);
    CHECK(judge(journal, "22") == Verdict::same);  // what came after the list is not its matter
  }
  SECTION("an event was lost") {
    journal.note("22", held({{"p", "22"}}));
    CHECK(judge(journal, "22") == Verdict::different);
  }
  SECTION("a deletion was lost") {
    const Holding ghost = held({{"p", "5"}, {"q", "18"}, {"r", "7"}});
    const StateJournal haunted("10", ghost, ghost);
    CHECK(judge(haunted, "20") == Verdict::different);
  }
  SECTION("a watch that says no more is judged when it was proven whole long after the list") {
    CHECK(judge(journal, "10", 149s, 140s) == Verdict::pending);
    CHECK(judge(journal, "10", 150s, 10s) == Verdict::different);
    CHECK(judge(journal, "10", 150s, 9s) == Verdict::unknown);
  }
  SECTION("facts and usage are each compared") {
    StateJournal both("20", {before.usage, right.usage}, {before.usage, right.usage});
    CHECK(judge(both, "20") == Verdict::different);
    StateJournal facts("20", {right.usage, std::nullopt}, {right.usage, std::nullopt});
    CHECK(judge(facts, "20") == Verdict::same);
  }
  SECTION("what cannot be told") {
    const StateJournal newer("21", right, right);
    CHECK(judge(newer, "21") == Verdict::unknown);  // the server is older than we are
    CHECK(judge(journal, "opaque") == Verdict::unknown);
    journal.note("22", right);
    journal.spoil();  // listed anew meanwhile
    CHECK(judge(journal, "22") == Verdict::unknown);
  }
}
