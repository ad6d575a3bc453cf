#include "guard/feedback.hpp"

#include "guard/handler.hpp"
#include "tests/guard/support.hpp"

using namespace portcullis;
using namespace portcullis::guard;
using testing::address;
using testing::Forwarded;
using testing::header;
using namespace std::chrono_literals;

namespace {

FinishedRequest finished(std::string_view id, int status) {
  FinishedRequest request;
  request.id = id;
  request.downstream_status = request.origin_status = status;
  return request;
}

// One loop's handler, its access log, and a hand on the clock.
class Office {
 public:
  explicit Office(const policy::DocumentSet& set = testing::documents())
      : guard(GuardOptions{.now = [this] { return now; }, .wall = [] { return testing::wall_start; }, .feedback = true}) {
    guard.swap_in(GuardSnapshot::compile(set));
    handler = make_handler(guard, nullptr);
    guard.feedback()->heard(now);
  }
  // The status; where it passes Odoo answers `answer`, and the log says so.
  int ask(Forwarded forwarded, int answer) {
    handler->answer(forwarded.received(now).request(), response);
    if (response.status != 200) return response.status;
    const std::string id = header(response, id_header);
    if (!id.empty()) guard.feedback()->finished(finished(id, answer));
    return 200;
  }
  static Forwarded from(std::string client, std::string uri, std::string method, std::string session) {
    Forwarded forwarded(std::move(uri), std::move(method));
    forwarded.set("X-Forwarded-For", std::move(client)).set("X-Forwarded-Host", "erp.globex.example");
    if (!session.empty()) forwarded.set("Cookie", "session_id=" + session);
    return forwarded;
  }

  Clock::time_point now{1000s};
  Guard guard;
  std::unique_ptr<net::Handler> handler;
  net::Response response;
};

std::string session_of(int person, std::string_view prefix) {
  std::string id = std::string(prefix) + std::to_string(person);
  id.resize(84, 'x');
  return id;
}

constexpr const char* office = "198.51.100.7";

}  // namespace

TEST_CASE("feedback: 150 people behind one office address log in on Monday at 09:00", "[guard][feedback]") {
  Office world;
  int stopped = 0;
  for (int person = 0; person < 150; ++person) {
    world.now += 400ms;  // all of them within a minute
    const std::string before = session_of(person, "before"), after = session_of(person, "after");
    stopped += world.ask(Office::from(office, "/web/login", "GET", before), 200) != 200;
    stopped += world.ask(Office::from(office, "/web/login", "POST", before), 303) != 200;
    stopped += world.ask(Office::from(office, "/odoo", "GET", after), 200) != 200;
    for (int call = 0; call < 8; ++call)
      stopped += world.ask(Office::from(office, "/web/dataset/call_kw/res.partner/read", "POST", after), 200) != 200;
  }
  CHECK(stopped == 0);
  // Whoever guesses from there is held as from anywhere, and takes nobody's share.
  int guesses = 0;
  for (int i = 0; i < 100; ++i) guesses += world.ask(Office::from(office, "/web/login", "POST", session_of(i, "guess")), 200) == 200;
  CHECK(guesses <= 11);
  CHECK(world.ask(Office::from(office, "/web/login", "POST", session_of(7, "after")), 303) == 200);
  CHECK(world.ask(Office::from(office, "/odoo", "GET", session_of(7, "after")), 200) == 200);
}

TEST_CASE("feedback: only failed outcomes ban, and a known session works on (B23)", "[guard][feedback]") {
  Office world;
  const std::string known = session_of(1, "known");
  CHECK(world.ask(Office::from(office, "/web", "GET", known), 200) == 200);
  for (int i = 0; i < 30; ++i) {
    world.now += 10s;
    CHECK(world.ask(Office::from(office, "/web/login", "POST", ""), 500) == 200);  // says nothing about the password
  }
  for (int i = 0; i < 10; ++i) {
    world.now += 6s;
    CHECK(world.ask(Office::from(office, "/web/login", "POST", ""), 200) == 200);
  }
  world.now += 6s;
  CHECK(world.ask(Office::from(office, "/web/login", "POST", ""), 200) == 429);
  CHECK(header(world.response, "retry-after") >= "54");
  CHECK(world.response.body.find("Too Many Failed Logins") != std::string::npos);
  CHECK(world.ask(Office::from(office, "/shop", "GET", ""), 200) == 429);
  CHECK(world.ask(Office::from(office, "/web/dataset/call_kw", "POST", known), 200) == 200);
  CHECK(world.ask(Office::from("198.51.100.8", "/web/login", "POST", ""), 200) == 200);
  world.now += 60s;
  CHECK(world.ask(Office::from(office, "/shop", "GET", ""), 200) == 200);  // the first ban is a minute
}

TEST_CASE("feedback: a session that Odoo sends to the login page stays unknown (B13)", "[guard][feedback]") {
  Office world;
  CHECK(world.ask(Office::from(office, "/web", "GET", session_of(1, "made-up")), 303) == 200);
  CHECK(world.ask(Office::from(office, "/web/login", "GET", session_of(1, "made-up")), 200) == 200);  // proves nothing
  CHECK(world.guard.sessions().learned() == 0);
  CHECK(world.ask(Office::from(office, "/web", "GET", session_of(1, "true")), 200) == 200);
  CHECK(world.guard.sessions().learned() == 1);
}

TEST_CASE("feedback: a bearer that Odoo refuses counts as a failed login", "[guard][feedback]") {
  Office world;
  const auto call = [&](int answer) {
    Forwarded forwarded = Office::from(office, "/json/2/res.partner/search", "POST", "");
    forwarded.set("Authorization", "Bearer abc");
    return world.ask(forwarded, answer);
  };
  for (int i = 0; i < 10; ++i) CHECK(call(401) == 200);
  CHECK(call(200) == 429);
}

TEST_CASE("feedback: places come back with the log, and are counted only while it speaks", "[guard][feedback]") {
  Office world;
  const auto begin = [&](int person) {
    world.handler->answer(Office::from(office, "/web/export/xlsx", "POST", session_of(person, "p")).received(world.now).request(),
                          world.response);
    return world.response.status == 200 ? header(world.response, id_header) : std::string();
  };
  const std::string first = begin(1), second = begin(2);
  CHECK(first.starts_with("pg-"));
  CHECK(begin(3).empty());
  CHECK(world.response.status == 429);
  world.guard.feedback()->finished(finished(first, 200));
  CHECK_FALSE(begin(3).empty());
  CHECK(begin(4).empty());
  world.guard.feedback()->finished(finished(first, 200));  // once only
  CHECK(begin(4).empty());
  world.guard.feedback()->finished(finished("pg-00000000000000000000000000000000", 200));  // nobody's
  CHECK(begin(4).empty());
  world.now += 31s;  // the log has fallen silent: nobody would give them back
  begin(4);
  CHECK(world.response.status == 200);
}

TEST_CASE("feedback: nothing is planted where nobody reads a log", "[guard][feedback]") {
  Guard guard;
  guard.swap_in(GuardSnapshot::compile(testing::documents()));
  const auto handler = make_handler(guard, nullptr);
  net::Response response;
  handler->answer(Office::from(office, "/web/login", "POST", "").request(), response);
  CHECK(response.status == 200);
  CHECK(header(response, id_header).empty());
}
