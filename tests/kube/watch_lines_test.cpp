// Bytes of watches and lists -> objects; how versions compare.
#include "kube/watch_lines.hpp"

#include <string>
#include <vector>

#include "kube/resource_version.hpp"
#include "kube/status.hpp"
#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::kube;

namespace {

constexpr const char* added =
    R"({"type":"ADDED","object":{"kind":"Pod","metadata":{"name":"a","resourceVersion":"7","managedFields":[{"x":1}]}}})";

// "ADDED a 7" of each event, in order; then how reading ended.
std::string read(std::string_view bytes, std::size_t piece) {
  WatchLines lines;
  std::string out;
  const auto take = [&](const WatchEvent& event) {
    out += std::string(event.type_name) + " " + std::string(metadata_text(event.object, "name")) + " " +
           std::string(metadata_text(event.object, "resourceVersion")) + ";";
    return event.type != EventType::error;
  };
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const auto went_on = lines.feed(bytes.substr(at, piece), take);
    if (!went_on) return out + "broken";
    if (!*went_on) return out + "ended";
  }
  return out + (lines.pending() ? "more" : "");
}

}  // namespace

TEST_CASE("a watch is read in whatever pieces it comes", "[kube]") {
  struct Case {
    const char* name;
    std::string bytes;
    const char* heard;
  };
  const std::string line = std::string(added) + "\n";
  const Case cases[] = {
      {"one line", line, "ADDED a 7;"},
      {"two lines", line + line, "ADDED a 7;ADDED a 7;"},
      {"blank lines are nothing", "\n \r\n" + line + "\n", "ADDED a 7;"},
      {"a line that has not ended", line + R"({"type":)", "ADDED a 7;more"},
      {"object before type",
       R"({"object":{"metadata":{"name":"b","resourceVersion":"9"}},"type":"BOOKMARK"})"
       "\n",
       "BOOKMARK b 9;"},
      {"an error ends it",
       R"({"type":"ERROR","object":{"code":410}})"
       "\n" +
           line,
       "ERROR  ;ended"},
      {"a type that is not known",
       R"({"type":"NEWS","object":{"metadata":{"resourceVersion":"3"}}})"
       "\n",
       "NEWS  3;"},
      {"no JSON", "hello\n", "broken"},
      {"no object",
       R"({"type":"ADDED"})"
       "\n",
       "broken"},
      {"no type",
       R"({"object":{}})"
       "\n",
       "broken"},
      {"an object of another type",
       R"({"type":"ADDED","object":[]})"
       "\n",
       "broken"},
      {"half an object",
       R"({"type":"ADDED","object":{"metadata":{}})"
       "\n",
       "broken"},
      {"a web page", "<html>\n<body>", "broken"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{64}, std::size_t{1'000'000}})
        CHECK(read(c.bytes, piece) == c.heard);
    }
  }
}

TEST_CASE("a line has a bound", "[kube]") {
  const std::string long_line = R"({"type":"ADDED","object":{"x":")" + std::string(line_bytes_max, 'x');
  CHECK(read(long_line, 1'000'000) == "broken");
  CHECK(read(long_line + "\"}}\n", long_line.size() + 10) == "broken");
  const std::string large =
      R"({"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"1"},"x":")" + std::string(3'000'000, 'x') + "\"}}\n";
  CHECK(read(large + large, 100'000) == "ADDED a 1;ADDED a 1;");
}

TEST_CASE("a list is read item by item", "[kube]") {
  struct Case {
    const char *name, *text, *read;
  };
  const Case cases[] = {
      {"two", R"({"metadata":{"resourceVersion":"5","continue":"t"},"items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]})",
       "5 t a b"},
      {"none", R"({"items":[],"metadata":{"resourceVersion":"5"}})", "5 "},
      {"null is none", R"({"items":null,"metadata":{"resourceVersion":"5"}})", "5 "},
      {"no items", R"({"metadata":{"resourceVersion":"5"}})", "refused"},
      {"an item that is no object", R"({"metadata":{"resourceVersion":"5"},"items":[1]})", "refused"},
      {"cut off", R"({"metadata":{"resourceVersion":"5"},"items":[{"metadata":{"name":"a"}},)", "refused"},
      {"no JSON", "404 page not found", "refused"},
      {"nothing", "", "refused"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      ObjectReader reader;
      std::string text = c.text, names;
      const auto head = reader.list(pad(text), [&](policy::Value item) { names += " " + std::string(metadata_text(item, "name")); });
      CHECK((head ? head->version + " " + head->next + names : "refused") == c.read);
    }
  }
}

TEST_CASE("resource versions compare by length, then digits", "[kube]") {
  struct Case {
    const char *a, *b;
    VersionOrder order;
  };
  const Case cases[] = {
      {"9", "10", VersionOrder::older},   {"10", "9", VersionOrder::newer},
      {"10", "10", VersionOrder::same},   {"18446744073709551616", "18446744073709551617", VersionOrder::older},
      {"x", "x", VersionOrder::same},     {"x", "7", VersionOrder::unknown},
      {"07", "7", VersionOrder::unknown}, {"", "7", VersionOrder::unknown},
      {"0", "7", VersionOrder::unknown},  {"-1", "7", VersionOrder::unknown},
  };
  for (const Case& c : cases) {
    CAPTURE(c.a, c.b);
    CHECK(compare_versions(c.a, c.b) == c.order);
  }
  CHECK(revision_of("18446744073709551615") == 18446744073709551615ULL);
  CHECK_FALSE(revision_of("18446744073709551616"));
  CHECK_FALSE(revision_of("1 "));
}

TEST_CASE("what a status says", "[kube]") {
  CHECK(read_status(R"({"kind":"Status","code":403,"reason":"Forbidden","message":"no"})").code == 403);
  CHECK(read_status(R"({"kind":"Status","code":403,"reason":"Forbidden","message":"no"})").reason == "Forbidden");
  CHECK(read_status("404 page not found\n").message == "404 page not found");
  CHECK(read_status("{").message == "{");
  CHECK(query_escaped("a=b&c/ä~") == "a%3Db%26c%2F%C3%A4~");
}
