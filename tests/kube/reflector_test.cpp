// The list+watch machine, told step by step what an API server does, by a clock of its own.
#include "kube/reflector.hpp"

#include <string>
#include <vector>

#include "tests/catch.hpp"

using namespace portcullis;
using namespace portcullis::kube;
using namespace std::chrono_literals;

namespace {

std::string object(const std::string& name, const std::string& version) {
  return R"({"metadata":{"name":")" + name + R"(","resourceVersion":")" + version + "\"}}";
}
std::string line(const std::string& type, const std::string& inner) { return R"({"type":")" + type + R"(","object":)" + inner + "}\n"; }
std::string event(const std::string& type, const std::string& name, const std::string& version) {
  return line(type, object(name, version));
}
std::string bookmark(const std::string& version, bool end = false) {
  return line("BOOKMARK", R"({"metadata":{"resourceVersion":")" + version + "\"" +
                              (end ? R"(,"annotations":{"k8s.io/initial-events-end":"true"})" : "") + "}}");
}
std::string error(int code, const std::string& message) {
  return line("ERROR", R"({"kind":"Status","code":)" + std::to_string(code) + R"(,"message":")" + message + "\"}");
}

// A reflector, its clock, and what it told.
class Machine final : public Sink {
 public:
  explicit Machine(bool watch_list = false) : reflector(Resource{"", "v1", "pods", "Pod"}, *this, options(watch_list), now) {}

  void begin() override { told += "begin "; }
  void take(policy::Value object) override { told += "+" + std::string(metadata_text(object, "name")) + " "; }
  void replaced(std::string_view version) override { told += "whole@" + std::string(version) + " "; }
  void changed(const WatchEvent& event) override {
    told += std::string(event.type_name) + ":" + std::string(metadata_text(event.object, "name")) + " ";
  }
  void progressed(std::string_view version) override { told += "@" + std::string(version) + " "; }
  void not_served() override { told += "none "; }

  // "list limit=500", "watch resourceVersion=7...", "wait 800ms".
  std::string next() {
    const Reflector::Action action = reflector.next(now);
    if (action.step == Reflector::Step::wait)
      return "wait " + std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(action.until - now).count());
    request = action.request;
    std::string text = action.step == Reflector::Step::list ? "list " : "watch ";
    text += request.target.substr(request.target.find('?') + 1);
    return text;
  }
  // Waits as told, then the next action.
  std::string after_wait() {
    for (;;) {
      const Reflector::Action action = reflector.next(now);
      if (action.step != Reflector::Step::wait) return next_of(action);
      now = action.until;
    }
  }
  void list(const std::string& items, const std::string& version, const std::string& next_page = "") {
    answer(200, R"({"metadata":{"resourceVersion":")" + version + R"(","continue":")" + next_page + R"("},"items":[)" + items + "]}");
  }
  void answer(int status, const std::string& body, std::optional<std::uint32_t> retry_after = std::nullopt) {
    reflector.listed(now, ApiResponse{status, body, "", retry_after});
  }
  bool stream(const std::string& bytes) {
    reflector.watch_head(now, ApiResponse{200, "", "", {}});
    return reflector.watch_bytes(now, bytes);
  }
  void end(bool clean = true) { reflector.watch_ended(now, StreamEnd{clean}); }
  std::string take_told() { return std::exchange(told, ""); }
  // Listed with one object at version 10, and watching.
  void settle() {
    next();
    list(object("a", "5"), "10");
    next();
    reflector.watch_head(now, ApiResponse{200, "", "", {}});
    told.clear();
  }

  Clock::time_point now{1'000'000s};
  std::string told;
  double chance = 0;
  Reflector reflector;
  ApiRequest request;

 private:
  std::string next_of(const Reflector::Action& action) {
    request = action.request;
    return (action.step == Reflector::Step::list ? "list " : "watch ") + request.target.substr(request.target.find('?') + 1);
  }
  ReflectorOptions options(bool watch_list) {
    ReflectorOptions options;
    options.watch_list = watch_list;
    options.chance = [this] { return chance; };
    return options;
  }
};

constexpr const char* watch_10 = "watch watch=1&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion=10";
constexpr const char* stream_list =
    "watch watch=1&allowWatchBookmarks=true&timeoutSeconds=300&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";

}  // namespace

TEST_CASE("list, then watch from its version, and resume where it ended", "[kube]") {
  Machine m;
  CHECK(m.next() == "list limit=500");
  CHECK(m.request.gzip);
  CHECK_FALSE(m.reflector.synced());
  m.list(object("a", "5") + "," + object("b", "6"), "10");
  CHECK(m.take_told() == "begin +a +b whole@10 ");
  CHECK(m.reflector.synced());
  CHECK(m.next() == watch_10);
  m.stream(event("ADDED", "c", "11") + event("MODIFIED", "a", "12") + event("DELETED", "b", "13") + bookmark("20"));
  CHECK(m.take_told() == "ADDED:c MODIFIED:a DELETED:b @20 ");
  m.now += 400s;
  m.end();
  CHECK(m.next() == "watch watch=1&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion=20");
  CHECK(m.reflector.counts().relists == 0);
  m.reflector.watch_head(m.now, ApiResponse{200, "", "", {}});
  m.now += 3s;
  m.end(false);  // cut off: resumed, not listed anew
  CHECK(m.next() == "watch watch=1&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion=20");
}

TEST_CASE("a list comes in pages", "[kube]") {
  Machine m;
  m.next();
  m.list(object("a", "5"), "10", "t/1");
  CHECK(m.take_told() == "begin +a ");
  CHECK(m.next() == "list limit=500&continue=t%2F1");
  SECTION("to its end") {
    m.list(object("b", "5"), "10");
    CHECK(m.take_told() == "+b whole@10 ");
    CHECK(m.next() == watch_10);
  }
  SECTION("a token that is too old: all in one piece") {
    m.answer(410, R"({"kind":"Status","code":410,"reason":"Expired"})");
    CHECK(m.next() == "list limit=0");
    m.list(object("b", "5"), "11");
    CHECK(m.take_told() == "begin +b whole@11 ");
  }
  SECTION("a failure in the middle: from the first page, after a wait") {
    m.answer(500, "oops");
    CHECK(m.next() == "wait 800");
    CHECK(m.after_wait() == "list limit=500");
    CHECK(m.take_told() == "begin ");
  }
  SECTION("the same token again ends nowhere") {
    m.list("", "10", "t/1");
    CHECK(m.next() == "wait 800");
  }
}

TEST_CASE("failures are waited for, ever longer", "[kube]") {
  Machine m;
  std::string waits;
  for (int count = 0; count < 8; ++count) {
    CHECK(m.after_wait() == "list limit=500");
    m.reflector.listed(m.now, fail(ErrorKind::unavailable, "10.0.0.1:443", "connection refused"));
    waits += m.next() + ",";
  }
  CHECK(waits == "wait 800,wait 1600,wait 2000,wait 2000,wait 2000,wait 2000,wait 2000,wait 2000,");
  CHECK(m.reflector.trouble() == "10.0.0.1:443: connection refused");
  m.now += 200s;  // two minutes without a failure
  m.next();
  m.answer(503, "");
  CHECK(m.next() == "wait 800");
  m.after_wait();
  m.chance = 0.5;
  m.answer(429, "", 5);
  CHECK(m.next() == "wait 5500");
  m.after_wait();
  m.chance = 0;
  m.list("", "10");
  CHECK(m.reflector.trouble().empty());
}

TEST_CASE("forbidden, and not served", "[kube]") {
  Machine m;
  m.next();
  m.answer(403, R"({"kind":"Status","code":403,"message":"pods is forbidden"})");
  CHECK(m.next() == "wait 30000");
  CHECK(m.reflector.trouble() == "403, want the verbs list and watch of pods");
  CHECK_FALSE(m.reflector.synced());
  m.after_wait();
  m.take_told();
  m.answer(404, "404 page not found\n");
  CHECK(m.take_told() == "none ");
  CHECK(m.reflector.synced());
  CHECK_FALSE(m.reflector.served());
  CHECK(m.next() == "wait 60000");
  m.reflector.retry_now(m.now);
  CHECK(m.next() == "list limit=500");
  m.answer(404, "");
  CHECK(m.take_told() == "begin ");  // known already
  m.after_wait();
  m.list("", "10");
  CHECK(m.reflector.served());
}

TEST_CASE("a version that is too old is listed anew", "[kube]") {
  Machine m;
  m.settle();
  m.now += 100s;
  SECTION("said in the stream") {
    CHECK_FALSE(m.stream(error(410, "too old resource version")));
    m.end();
  }
  SECTION("said as the answer") {
    m.end(false);
    m.now += 1s;
    m.next();
    m.reflector.watch_head(m.now, ApiResponse{410, "", "", {}});
    m.reflector.watch_bytes(m.now, "{}");
    m.end();
  }
  CHECK(m.next() == "list limit=500");
  CHECK(m.reflector.synced());  // the old state is served meanwhile
  m.list("", "30");
  CHECK(m.take_told() == "begin whole@30 ");
  CHECK(m.reflector.counts().relists == 1);
  m.next();
  CHECK_FALSE(m.stream(error(410, "again")));  // at once: no loop
  m.end();
  CHECK(m.next() == "wait 800");
}

TEST_CASE("other troubles of a watch", "[kube]") {
  Machine m;
  m.settle();
  SECTION("an error of the server: resumed after a wait") {
    m.now += 10s;
    m.stream(error(500, "etcd is away"));
    m.end();
    CHECK(m.next() == "wait 800");
    CHECK(m.after_wait() == watch_10);
  }
  SECTION("an event that cannot be read was lost: listed anew") {
    m.now += 10s;
    CHECK_FALSE(m.stream("garbage\n"));
    m.end();
    CHECK(m.next() == "list limit=500");
  }
  SECTION("ended as soon as it began") {
    m.end();
    CHECK(m.next() == "wait 800");
    CHECK(m.after_wait() == watch_10);
    m.end();
    CHECK(m.next() == "wait 1600");
  }
  SECTION("ended at once after an event: one watch a second at most") {
    m.stream(event("ADDED", "b", "11"));
    m.end(false);
    CHECK(m.next() == "wait 1000");
  }
  SECTION("the connection could not be had") {
    m.end();
    m.after_wait();
    m.reflector.watch_ended(m.now, fail(ErrorKind::unavailable, "peer", "no route"));
    CHECK(m.next() == "wait 1600");
  }
  SECTION("it was deleted, CRD and all") {
    m.now += 10s;
    m.end();
    m.next();
    m.reflector.watch_head(m.now, ApiResponse{404, "", "", {}});
    m.end();
    CHECK(m.take_told() == "none ");
  }
  SECTION("a type nobody knows still moves the version") {
    m.stream(line("NEWS", object("a", "15")));
    m.now += 10s;
    m.end();
    CHECK(m.next() == "watch watch=1&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion=15");
  }
}

TEST_CASE("list and watch as one stream", "[kube]") {
  Machine m(true);
  CHECK(m.next() == stream_list);
  SECTION("it goes on after the end mark") {
    m.stream(event("ADDED", "a", "5") + event("ADDED", "b", "6"));
    CHECK(m.take_told() == "begin +a +b ");
    CHECK_FALSE(m.reflector.synced());
    m.stream(bookmark("10", true) + event("DELETED", "a", "11"));
    CHECK(m.take_told() == "whole@10 DELETED:a ");
    m.now += 300s;
    m.end();
    CHECK(m.next() == "watch watch=1&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion=11");
  }
  SECTION("a server without it") {
    m.reflector.watch_head(m.now, ApiResponse{422, "", "", {}});
    m.reflector.watch_bytes(m.now, R"({"kind":"Status","message":"sendInitialEvents is forbidden"})");
    m.end();
    CHECK(m.next() == "list limit=500");
    m.list("", "10");
    CHECK(m.next() == watch_10);
    m.now += 10s;
    m.stream(error(410, ""));
    m.end();
    CHECK(m.next() == stream_list);  // tried again at the next list
  }
  SECTION("an etcd without it") {
    m.stream(error(500, "RequestWatchProgress is disabled"));
    m.end();
    CHECK(m.next() == "list limit=500");
  }
  SECTION("a server that does not know the parameters and never marks the end") {
    m.stream(event("ADDED", "a", "5"));
    m.now += 11s;
    CHECK(m.reflector.tick(m.now) == Reflector::Advice::none);
    m.now += 50s;
    CHECK(m.reflector.tick(m.now) == Reflector::Advice::end_stream);
    m.end(false);
    CHECK(m.next() == "list limit=500");
    m.take_told();
    m.list(object("a", "5"), "10");
    CHECK(m.take_told() == "+a whole@10 ");
  }
  SECTION("cut off before the end") {
    m.stream(event("ADDED", "a", "5"));
    m.end(false);
    CHECK(m.next() == "list limit=500");
  }
  SECTION("too many requests say nothing about it") {
    m.reflector.watch_head(m.now, ApiResponse{429, "", "", 1});
    m.end();
    CHECK(m.next() == "wait 1000");
    CHECK(m.after_wait() == stream_list);
  }
  SECTION("nor does a connection that could not be had") {
    m.reflector.watch_ended(m.now, fail(ErrorKind::unavailable, "peer", "no route"));
    CHECK(m.after_wait() == stream_list);
  }
}

TEST_CASE("silence is looked into", "[kube]") {
  Machine m;
  m.settle();
  m.now += 89s;
  CHECK(m.reflector.tick(m.now) == Reflector::Advice::none);
  m.now += 2s;
  CHECK(m.reflector.tick(m.now) == Reflector::Advice::probe);
  CHECK(m.reflector.probe(m.now).target == "/api/v1/pods?limit=1");
  CHECK(m.reflector.tick(m.now) == Reflector::Advice::none);
  const auto probed = [&](const char* version) {
    m.reflector.probed(m.now, ApiResponse{200, std::string(R"({"metadata":{"resourceVersion":")") + version + "\"},\"items\":[]}", "", {}});
  };
  SECTION("nothing has happened") {
    CHECK_FALSE(m.reflector.rv_lag());
    probed("10");
    CHECK(m.reflector.rv_lag() == 0);
    CHECK(m.take_told() == "@10 ");
    CHECK(m.now - m.reflector.progress() < 1s);
    CHECK(m.reflector.tick(m.now) == Reflector::Advice::none);
  }
  SECTION("something has, and is heard soon") {
    probed("12");
    CHECK(m.reflector.rv_lag() == 2);
    m.now += 1s;
    m.stream(bookmark("12"));
    m.now += 3s;
    CHECK(m.reflector.tick(m.now) == Reflector::Advice::none);
  }
  const auto end_and_next = [&] {
    m.now += 4s;
    CHECK(m.reflector.tick(m.now) == Reflector::Advice::end_stream);
    CHECK_FALSE(m.reflector.watch_bytes(m.now, bookmark("12")));
    m.end(false);
    return m.next();
  };
  SECTION("something has, perhaps elsewhere, and is not heard: opened again where it was") {
    probed("12");
    CHECK(end_and_next() == watch_10);
    m.reflector.watch_head(m.now, ApiResponse{200, "", "", {}});
    const auto age = [&] { return m.now - m.reflector.progress(); };
    SECTION("and nothing comes: nothing was missed") {
      m.now += 2s;
      m.reflector.tick(m.now);
      CHECK(age() > 90s);
      m.now += 2s;
      CHECK(m.reflector.tick(m.now) == Reflector::Advice::none);
      CHECK(m.take_told() == "@10 ");
      CHECK(age() < 10s);
      // Not for ever: the server itself may be stuck.
      for (int count = 0; count < 2; ++count) {
        m.now += 100s;
        REQUIRE(m.reflector.tick(m.now) == Reflector::Advice::probe);
        m.reflector.probe(m.now);
        probed("13");
        CHECK(end_and_next() == watch_10);
        m.reflector.watch_head(m.now, ApiResponse{200, "", "", {}});
        m.now += 4s;
        m.reflector.tick(m.now);
      }
      m.now += 100s;
      REQUIRE(m.reflector.tick(m.now) == Reflector::Advice::probe);
      m.reflector.probe(m.now);
      probed("13");
      CHECK(end_and_next() == "list limit=500");
    }
    SECTION("and what was missed comes") {
      m.stream(event("ADDED", "b", "11"));
      CHECK(age() == 0s);
      m.now += 4s;
      CHECK(m.reflector.tick(m.now) == Reflector::Advice::none);
    }
    SECTION("and it is too old") {
      m.stream(error(410, ""));
      m.end();
      CHECK(m.next() == "list limit=500");
    }
    SECTION("and it fails: no proof") {
      m.end(false);
      m.now += 4s;
      m.reflector.tick(m.now);
      CHECK(age() > 90s);
    }
  }
  SECTION("the server went back in time, so the watch would be silent for long") {
    probed("4");
    CHECK(m.reflector.rv_lag() == -6);
    CHECK(end_and_next() == "list limit=500");
    m.list("", "5");
    CHECK(m.reflector.version() == "5");
  }
  SECTION("no answer: asked again later") {
    m.reflector.probed(m.now, fail(ErrorKind::unavailable, "peer", "away"));
    m.now += 14s;
    CHECK(m.reflector.tick(m.now) == Reflector::Advice::none);
    m.now += 2s;
    CHECK(m.reflector.tick(m.now) == Reflector::Advice::probe);
  }
}

TEST_CASE("after a server that was away for long its first bookmark is not waited for", "[kube]") {
  Machine m;
  m.settle();
  m.end(false);
  m.now += 200s;  // nothing could be opened
  CHECK(m.next() == watch_10);
  CHECK(m.reflector.tick(m.now) == Reflector::Advice::none);  // not even now
  m.now += 30s;
  m.reflector.watch_head(m.now, ApiResponse{200, "", "", {}});
  CHECK(m.reflector.tick(m.now) == Reflector::Advice::none);  // what happened meanwhile comes first
  m.now += 1s;
  SECTION("nothing has happened") {
    REQUIRE(m.reflector.tick(m.now) == Reflector::Advice::probe);
    m.reflector.probe(m.now);
    m.reflector.probed(m.now, ApiResponse{200, R"({"metadata":{"resourceVersion":"10"},"items":[]})", "", {}});
    CHECK(m.now - m.reflector.progress() < 1s);
  }
  SECTION("something has, elsewhere in the store") {
    REQUIRE(m.reflector.tick(m.now) == Reflector::Advice::probe);
    m.reflector.probe(m.now);
    m.reflector.probed(m.now, ApiResponse{200, R"({"metadata":{"resourceVersion":"12"},"items":[]})", "", {}});
    m.now += 2s;
    CHECK(m.reflector.tick(m.now) == Reflector::Advice::none);
    CHECK(m.now - m.reflector.progress() > 200s);
    m.now += 1s;
    CHECK(m.reflector.tick(m.now) == Reflector::Advice::none);  // what was opened a moment ago is not opened again
    CHECK(m.now - m.reflector.progress() < 5s);
  }
  SECTION("something has, and is told") {
    m.stream(bookmark("12"));
    CHECK(m.reflector.tick(m.now) == Reflector::Advice::none);
  }
}

TEST_CASE("starting over keeps nothing of what is under way", "[kube]") {
  Machine m;
  SECTION("in the middle of a list") {
    m.next();
    m.list(object("a", "5"), "10", "t");
    m.next();
    m.reflector.start_over(true, m.now);
    m.list(object("b", "5"), "10");
    CHECK_FALSE(m.reflector.synced());
    CHECK(m.next() == "list limit=500");
    CHECK(m.request.accept.find("PartialObjectMetadataList") != std::string::npos);
  }
  SECTION("in the middle of a watch") {
    m.settle();
    m.reflector.start_over(true, m.now);
    CHECK(m.reflector.tick(m.now) == Reflector::Advice::end_stream);
    m.end(false);
    CHECK(m.next() == "list limit=500");
  }
}

TEST_CASE("whatever a server answers, it is asked less than twice a second", "[kube]") {
  // Each way of going wrong, for ten minutes of the machine's time.
  for (const int way : {0, 1, 2, 3, 4, 5, 6, 7}) {
    for (const bool watch_list : {false, true}) {
      Machine m(watch_list);
      const Clock::time_point began = m.now;
      std::uint64_t requests = 0;
      while (m.now - began < 600s) {
        const Reflector::Action action = m.reflector.next(m.now);
        if (action.step == Reflector::Step::wait) {
          m.now = action.until;
          continue;
        }
        ++requests;
        m.now += 1ms;
        if (action.step == Reflector::Step::list) {
          if (way == 0) m.answer(500, "");
          if (way == 1) m.answer(200, "<html>");
          if (way == 2) m.answer(410, "");
          if (way >= 3) m.list("", "10");
          continue;
        }
        if (way < 3 || way == 3) m.reflector.watch_head(m.now, ApiResponse{way == 3 ? 410 : 422, "", "", {}});
        if (way == 4) m.stream(error(410, ""));
        if (way == 5) m.stream("garbage\n");
        if (way == 6) m.stream(event("ADDED", "a", "11"));
        if (way == 7) m.stream(error(500, ""));
        m.end(way == 6);
      }
      CAPTURE(way, watch_list);
      CHECK(requests < 1'000);
    }
  }
}
