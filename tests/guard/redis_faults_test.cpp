// The shared store while the real redis-server dies, stalls, refuses and forgets; and before peers that are no Redis.
#include <mutex>
#include <thread>

#include "guard/shared_store.hpp"
#include "observe/log.hpp"
#include "tests/guard/redis_server.hpp"
#include "tests/net/scripted_server.hpp"

using namespace portcullis;
using namespace portcullis::guard;
using namespace portcullis::guard::testing;
using Said = Asker::Said;

namespace {

constexpr std::uint64_t tenant = 0xabc;
constexpr auto back_within = 2s;
const std::vector<SharedCharge> plenty{rate(1, 1us, 1'000'000)};

// Asks until the store has noticed; how often it asked.
int ask_until_away(SharedStore& store, Asker& asker) {
  int asked = 0;
  CHECK(becomes([&] {
    ++asked;
    return asker.say(store, tenant, plenty) == Said::not_asked && store.state() == StoreState::away;
  }));
  return asked;
}

bool is_up_within(SharedStore& store, std::chrono::milliseconds time) {
  return becomes([&] { return store.state() == StoreState::up; }, time);
}

// Lines of the log, from its making on.
class Log {
 public:
  Log() {
    observe::set_log_sink([this](std::string_view line) {
      const std::lock_guard lock(mutex_);
      text_.append(line).append("\n");
    });
  }
  ~Log() { observe::set_log_sink({}); }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  [[nodiscard]] bool has(std::string_view part) {
    const std::lock_guard lock(mutex_);
    return text_.find(part) != std::string::npos;
  }

 private:
  std::mutex mutex_;
  std::string text_;
};

}  // namespace

TEST_CASE("Redis is killed and comes back empty", "[guard][redis][faults]") {
  RedisServer server;
  const auto store = open_up(patient(server));
  Asker asker;
  const std::vector charges{rate(7, 1h, 1)};
  CHECK(asker.say(*store, tenant, charges) == Said::admitted);
  server.kill();
  REQUIRE(becomes([&] { return store->state() == StoreState::away; }));
  CHECK(asker.say(*store, tenant, charges) == Said::not_asked);
  CHECK(fault(*store, StoreFault::connection) >= 1);
  server.start();
  CHECK(is_up_within(*store, back_within));
  CHECK(store->away_for(now_ns()) == 0ns);
  CHECK(asker.say(*store, tenant, charges) == Said::admitted);
  CHECK(store->stats().connections == 2);
}

TEST_CASE("a store without a Redis is away, and waits for it", "[guard][redis][faults]") {
  RedisServer server;
  server.kill();
  const auto store = open(patient(server));
  REQUIRE(becomes([&] { return fault(*store, StoreFault::connection) >= 2; }));
  CHECK(store->state() == StoreState::away);
  CHECK(store->replicas_alive() == 1);
  server.start();
  CHECK(is_up_within(*store, back_within));
}

TEST_CASE("Redis stops for half a second: each answer comes within the budget", "[guard][redis][faults]") {
  RedisServer server;
  auto options = patient(server);
  options.budget = 20ms;
  const auto store = open_up(options);
  Asker asker;
  server.signal(SIGSTOP);
  const auto stopped = std::chrono::steady_clock::now();
  int unknown = 0;
  for (auto heard = asker.ask(*store, tenant, plenty); heard.said != Said::not_asked; heard = asker.ask(*store, tenant, plenty)) {
    REQUIRE(heard.said == Said::unknown);
    CHECK(heard.took < 500ms);  // of a machine that does other things too
    ++unknown;
  }
  CHECK(unknown >= 8);
  CHECK(store->stats().late >= 8);
  CHECK(fault(*store, StoreFault::timeout) == 1);
  CHECK(becomes([&] { return std::chrono::steady_clock::now() - stopped >= 500ms; }));
  CHECK(store->state() == StoreState::away);
  server.signal(SIGCONT);
  CHECK(is_up_within(*store, back_within));
}

TEST_CASE("Redis pauses: away until a write is answered in time", "[guard][redis][faults]") {
  const RedisServer server;
  auto options = patient(server);
  options.budget = 20ms;
  const auto store = open_up(options);
  Asker asker;
  const std::string_view how = GENERATE("200", "1500");
  REQUIRE(server.say({"CLIENT", "PAUSE", how, "ALL"}).text == "OK");
  ask_until_away(*store, asker);
  CHECK(is_up_within(*store, 4s));
  CHECK(becomes([&] { return asker.say(*store, tenant, plenty) == Said::admitted; }));
}

TEST_CASE("a silent connection is noticed without a request", "[guard][redis][faults]") {
  RedisServer server;
  const auto store = open_up(patient(server));
  server.signal(SIGSTOP);
  CHECK(becomes([&] { return store->state() == StoreState::away; }, 5s));
  server.signal(SIGCONT);
  CHECK(is_up_within(*store, back_within));
}

TEST_CASE("FLUSHALL and SCRIPT FLUSH are no faults", "[guard][redis][faults]") {
  const RedisServer server;
  const auto store = open_up(patient(server));
  Asker asker;
  const std::vector charges{rate(7, 1h, 1)};
  CHECK(asker.say(*store, tenant, charges) == Said::admitted);
  REQUIRE(server.say({"FLUSHALL"}).text == "OK");
  CHECK(asker.say(*store, tenant, charges) == Said::admitted);
  REQUIRE(server.say({"SCRIPT", "FLUSH"}).text == "OK");
  CHECK(asker.say(*store, tenant, charges) == Said::refused);
  REQUIRE(server.say({"SCRIPT", "FLUSH"}).text == "OK");
  // Many at once find it gone, and all are answered.
  std::vector<std::shared_ptr<SharedVerdict>> verdicts;
  for (std::uint64_t i = 0; i < 200; ++i) {
    verdicts.push_back(std::make_shared<SharedVerdict>());
    REQUIRE(store->ask(tenant, plenty, asker.waker(), 1000 + i, verdicts.back()));
  }
  REQUIRE(asker.wait_for(1199));
  CHECK(becomes([&] { return store->stats().admitted == 202; }));
  CHECK(store->stats().connections == 1);
  CHECK(store->stats().late == 0);
}

TEST_CASE("a Redis that cannot write is away until it can", "[guard][redis][faults]") {
  const RedisServer server;
  const auto store = open_up(patient(server));
  Asker asker;
  SECTION("READONLY") {
    REQUIRE(server.say({"REPLICAOF", "127.0.0.1", "1"}).text == "OK");
    ask_until_away(*store, asker);
    CHECK(fault(*store, StoreFault::read_only) >= 1);
    CHECK(becomes([&] { return fault(*store, StoreFault::read_only) >= 2; }));  // the probe is a write
    REQUIRE(server.say({"REPLICAOF", "NO", "ONE"}).text == "OK");
  }
  SECTION("OOM") {
    REQUIRE(server.say({"CONFIG", "SET", "maxmemory", "1mb"}).text == "OK");
    ask_until_away(*store, asker);
    CHECK(fault(*store, StoreFault::memory) >= 1);
    CHECK(becomes([&] { return fault(*store, StoreFault::memory) >= 2; }));
    REQUIRE(server.say({"CONFIG", "SET", "maxmemory", "0"}).text == "OK");
  }
  SECTION("MISCONF, NOREPLICAS") {
    REQUIRE(server.say({"CONFIG", "SET", "min-replicas-to-write", "1"}).text == "OK");
    ask_until_away(*store, asker);
    CHECK(fault(*store, StoreFault::loading) >= 1);
    REQUIRE(server.say({"CONFIG", "SET", "min-replicas-to-write", "0"}).text == "OK");
  }
  CHECK(is_up_within(*store, back_within));
  CHECK(asker.say(*store, tenant, plenty) == Said::admitted);
}

TEST_CASE("the password changes, and is read again", "[guard][redis][faults]") {
  Log log;
  const RedisServer server;
  const auto set_user = [&](std::string_view password) {
    return server
        .say({"ACL", "SETUSER", "guard", "reset", "on", password, "~portcullis:*", "+evalsha", "+script|load", "+get", "+set", "+time",
              "+dbsize", "+zadd", "+zremrangebyscore", "+zcard", "+pexpire"})
        .text;
  };
  const auto file = server.directory() / "password";
  const auto write = [&](std::string_view password) { std::ofstream(file) << password << "\n"; };
  REQUIRE(set_user(">first-secret") == "OK");
  write("first-secret");
  auto options = patient(server);
  options.url.user = "guard";
  options.password_file = file;
  const auto store = open_up(options);
  Asker asker;
  CHECK(asker.say(*store, tenant, plenty) == Said::admitted);
  REQUIRE(set_user(">second-secret") == "OK");
  REQUIRE(server.say({"CLIENT", "KILL", "USER", "guard"}).kind == RedisReply::Kind::integer);
  CHECK(becomes([&] { return fault(*store, StoreFault::authentication) >= 2; }));
  CHECK(store->state() == StoreState::away);
  write("second-secret");
  CHECK(is_up_within(*store, back_within));
  CHECK(asker.say(*store, tenant, plenty) == Said::admitted);
  // Rights that are taken away while the connection stays.
  REQUIRE(server.say({"ACL", "SETUSER", "guard", "-set"}).text == "OK");
  ask_until_away(*store, asker);
  REQUIRE(server.say({"ACL", "SETUSER", "guard", "+set"}).text == "OK");
  CHECK(is_up_within(*store, back_within));
  std::filesystem::remove(file);
  REQUIRE(server.say({"CLIENT", "KILL", "USER", "guard"}).kind == RedisReply::Kind::integer);
  CHECK(becomes([&] { return log.has("cannot be read"); }));
  CHECK(log.has("redis_away"));
  CHECK_FALSE(log.has("secret"));
}

TEST_CASE("no password where one is wanted", "[guard][redis][faults]") {
  const RedisServer server;
  const auto store = open_up(patient(server));
  REQUIRE(server.say({"ACL", "SETUSER", "default", "off", "resetpass"}).text == "OK");
  const auto second = open(patient(server));
  CHECK(becomes([&] { return fault(*second, StoreFault::authentication) >= 1; }));
  CHECK(second->state() == StoreState::away);
}

TEST_CASE("what was admitted without Redis is told to it", "[guard][redis][faults]") {
  RedisServer server;
  auto options = patient(server);
  options.local_keys_max = 100;
  const auto store = open_up(options);
  Asker asker;
  server.kill();
  REQUIRE(becomes([&] { return store->state() == StoreState::away; }));
  const SharedCharge charge = rate(7, 1h, 3), window = quota(8, 4, 24h), other = rate(9, 1h, 3);
  for (int i = 0; i < 3; ++i) store->note_local(tenant, std::vector{charge, window}, now_ns());
  store->note_local(tenant, std::vector{other}, now_ns());
  for (std::uint64_t key = 100; key < 300; ++key) store->note_local(tenant, std::vector{rate(key, 1h, 3)}, now_ns());
  CHECK(store->stats().notes_dropped == 103);
  server.start();
  REQUIRE(is_up_within(*store, back_within));
  REQUIRE(becomes([&] { return server.say({"DBSIZE"}).integer == 101; }));
  CHECK(asker.say(*store, tenant, {charge}) == Said::refused);
  CHECK(asker.say(*store, tenant, {window}) == Said::admitted);
  CHECK(asker.say(*store, tenant, {window}) == Said::refused);
  CHECK(asker.say(*store, tenant, {other}) == Said::admitted);
  CHECK(asker.say(*store, tenant, {other}) == Said::admitted);
  CHECK(asker.say(*store, tenant, {other}) == Said::refused);
}

TEST_CASE("leases go on while Redis is away, and no further than was borrowed", "[guard][redis][faults]") {
  RedisServer server;
  auto options = patient(server);
  options.mode = StoreMode::lease;
  options.slice = 10;
  const auto store = open_up(options);
  const std::vector charges{rate(7, 1h, 100)};
  CHECK(store->lease(tenant, charges, now_ns()).kind == SharedVerdict::Kind::admitted);
  const std::string key = redis_key("portcullis", tenant, redis_limit(charges[0]));
  REQUIRE(becomes([&] { return server.say({"EXISTS", key}).integer == 1; }));
  server.kill();
  REQUIRE(becomes([&] { return store->state() == StoreState::away; }));
  int admitted = 0;
  while (store->lease(tenant, charges, now_ns()).kind == SharedVerdict::Kind::admitted) ++admitted;
  CHECK(admitted <= 5);
  CHECK(store->lease(tenant, charges, now_ns()).kind == SharedVerdict::Kind::unknown);
}

TEST_CASE("a store that ends wakes who still waits", "[guard][redis][faults]") {
  RedisServer server;
  auto store = open_up(patient(server));
  Asker asker;
  server.signal(SIGSTOP);
  const auto verdict = std::make_shared<SharedVerdict>();
  verdict->kind = SharedVerdict::Kind::admitted;
  REQUIRE(store->ask(tenant, plenty, asker.waker(), 77, verdict));
  store.reset();
  REQUIRE(asker.wait_for(77));
  CHECK(verdict->kind == SharedVerdict::Kind::unknown);
}

TEST_CASE("too many calls are not asked", "[guard][redis][faults]") {
  RedisServer server;
  auto options = patient(server);
  options.waiting_max = 10;
  options.budget = 10s;
  const auto store = open_up(options);
  server.signal(SIGSTOP);
  Asker asker;
  int asked = 0;
  for (std::uint64_t i = 0; i < 20; ++i) {
    if (store->ask(tenant, plenty, asker.waker(), i, std::make_shared<SharedVerdict>())) ++asked;
  }
  CHECK(asked == 10);
  CHECK(store->stats().not_asked == 10);
  server.signal(SIGCONT);
  CHECK(becomes([&] { return asker.say(*store, tenant, plenty) == Said::admitted || store->state() == StoreState::up; }));
}

TEST_CASE("TLS: the chain and the name are verified", "[guard][redis][faults]") {
  const test::Certificate ca({.common_name = "ca", .is_ca = true}), other_ca({.common_name = "other", .is_ca = true});
  const test::Certificate leaf({.common_name = "localhost", .issuer = &ca});
  const tests::TempDir files;
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream(files.path() / name) << text;
    return (files.path() / name).string();
  };
  // Any port that is free now.
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  REQUIRE(::bind(probe, reinterpret_cast<sockaddr*>(&at), size) == 0);
  REQUIRE(::getsockname(probe, reinterpret_cast<sockaddr*>(&at), &size) == 0);
  ::close(probe);
  const std::uint16_t port = ntohs(at.sin_port);
  const RedisServer server({"--tls-port", std::to_string(port), "--tls-auth-clients", "no", "--tls-ca-cert-file",
                            write("ca.pem", ca.certificate_pem()), "--tls-cert-file", write("leaf.pem", leaf.certificate_pem()),
                            "--tls-key-file", write("key.pem", leaf.key_pem())});
  auto options = patient(server);
  options.url.path.clear();
  options.url.host = "127.0.0.1";
  options.url.port = port;
  options.url.tls = true;
  options.ca_file = files.path() / "ca.pem";
  SECTION("who it must be") {
    const auto store = open_up(options);
    Asker asker;
    CHECK(asker.say(*store, tenant, plenty) == Said::admitted);
  }
  SECTION("another authority") {
    options.ca_file = write("other.pem", other_ca.certificate_pem());
    const auto store = open(options);
    CHECK(becomes([&] { return fault(*store, StoreFault::connection) >= 2; }));
    CHECK(store->stats().connections == 0);
  }
  SECTION("another name") {
    options.server_name = "redis.example";
    const auto store = open(options);
    CHECK(becomes([&] { return fault(*store, StoreFault::connection) >= 2; }));
    CHECK(store->stats().connections == 0);
  }
}

// What a real Redis does not do.
TEST_CASE("a peer that is no Redis", "[guard][redis][faults]") {
  struct Case {
    const char *name, *says;
    StoreFault fault;
  };
  static const std::string sha = "$40\r\n" + std::string(40, 'a') + "\r\n";
  static const std::string set_up = sha + sha + ":1\r\n";
  const Case cases[] = {
      {"HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", StoreFault::garbage},
      {"a digest that is none", "$3\r\nabc\r\n", StoreFault::garbage},
      {"an integer for a digest", ":1\r\n", StoreFault::garbage},
      {"two billion elements", "*2147483647\r\n", StoreFault::garbage},
      {"half a reply", "$40\r\naaa", StoreFault::probe},
      {"nothing", "", StoreFault::probe},
      {"loading", "-LOADING Redis is loading the dataset in memory\r\n", StoreFault::loading},
      {"a cluster", "-MOVED 1234 10.0.0.1:6379\r\n", StoreFault::cluster},
      {"protected", "-DENIED Redis is running in protected mode\r\n", StoreFault::other},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      test::ScriptedServer peer([&](test::ScriptedServer::Peer& client, int) {
        client.receive("LOAD");
        client.send(c.says);
        client.wait_for_end();
      });
      StoreOptions options;
      options.url.host = "127.0.0.1";
      options.url.port = peer.port();
      const auto store = open(options);
      CHECK(becomes([&] { return fault(*store, c.fault) >= 2; }));
      CHECK(store->state() == StoreState::away);
    }
  }
}

TEST_CASE("a peer that was Redis a moment ago", "[guard][redis][faults]") {
  static const std::string sha = "$40\r\n" + std::string(40, 'a') + "\r\n";
  struct Case {
    const char *name, *says;
    StoreFault fault;
  };
  const Case cases[] = {
      {"garbage", "\x16\x03\x01", StoreFault::garbage},
      {"an answer of another shape", "+OK\r\n", StoreFault::garbage},
      {"too few integers", "*2\r\n:1\r\n:0\r\n", StoreFault::garbage},
      {"a limit that was not asked about", "*4\r\n:0\r\n:5\r\n:1\r\n:0\r\n", StoreFault::garbage},
      {"a negative wait", "*4\r\n:0\r\n:0\r\n:-5\r\n:0\r\n", StoreFault::garbage},
      {"more answers than questions", "*4\r\n:1\r\n:0\r\n:1\r\n:0\r\n:1\r\n", StoreFault::garbage},
      {"no script, whatever is loaded", "-NOSCRIPT x\r\n", StoreFault::other},
      {"CROSSSLOT", "-CROSSSLOT Keys in request don't hash to the same slot\r\n", StoreFault::cluster},
      {"half an answer", "*4\r\n:1\r\n", StoreFault::timeout},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      test::ScriptedServer peer([&](test::ScriptedServer::Peer& client, int number) {
        if (number > 0) return client.wait_for_end();
        client.receive("ZADD");  // in the second script
        client.send(sha + sha);
        client.receive(":replicas");
        client.send(":1\r\n");
        client.receive("0000000000000001");
        client.send(c.says);
        client.receive_until([](const std::string& text) { return text.find("LOAD", text.find("000000000001")) != std::string::npos; });
        client.send(sha + sha + c.says);
        client.wait_for_end();
      });
      StoreOptions options;
      options.url.host = "127.0.0.1";
      options.url.port = peer.port();
      options.budget = 500ms;
      const auto store = open_up(options);
      Asker asker;
      const auto heard = asker.ask(*store, tenant, plenty);
      if (std::string_view(c.name) != "more answers than questions") CHECK(heard.said == Said::unknown);
      ask_until_away(*store, asker);
      CHECK(fault(*store, c.fault) >= 1);
    }
  }
}

TEST_CASE("options that cannot be used", "[guard][redis]") {
  const auto refused = [](const std::function<void(StoreOptions&)>& change) {
    StoreOptions options;
    options.url.path = "/nowhere/redis.sock";
    change(options);
    const auto store = SharedStore::open(options);
    return store ? std::string() : store.error().message();
  };
  CHECK(refused([](StoreOptions&) {}).empty());
  CHECK(refused([](StoreOptions& o) { o.prefix = "a{b}"; }).find("prefix") != std::string::npos);
  CHECK(refused([](StoreOptions& o) { o.prefix = ""; }).find("prefix") != std::string::npos);
  CHECK(refused([](StoreOptions& o) { o.slice = 0; }).find("slice") != std::string::npos);
  CHECK(refused([](StoreOptions& o) { o.budget = 0us; }).find("budget") != std::string::npos);
  CHECK(refused([](StoreOptions& o) { o.url.user = "guard"; }).find("password file") != std::string::npos);
  CHECK(refused([](StoreOptions& o) { o.url.tls = true, o.ca_file = "/nowhere"; }).find("/nowhere") != std::string::npos);
}
