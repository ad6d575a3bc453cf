// Reading a directory, and swapping whole sets under those who read.
#include "config/store.hpp"

#include <atomic>
#include <thread>

#include "tests/config/scratch.hpp"

using namespace portcullis;
using namespace portcullis::config;
using namespace portcullis::config::testing;
namespace fs = std::filesystem;

namespace {

std::string names(const Scratch& scratch, const policy::DocumentLimits& limits = {}) {
  const auto files = read_directory(scratch.path(), limits);
  std::string out;
  if (!files)
    for (const Error& error : files.error()) out += "refused: " + error.what;
  else
    for (const policy::DocumentFile& file : *files) out += (out.empty() ? "" : " ") + file.name;
  return out;
}

bool is_mixed(const policy::PolicySnapshot& snapshot) {
  return snapshot.documents().platform.name != snapshot.documents().tenants.front().name;
}

}  // namespace

TEST_CASE("a directory is read whole, by name", "[config]") {
  const Scratch scratch;
  CHECK(names(scratch) == "refused: found no *.yaml or *.yml file");
  scratch.write("b.yaml", "");
  scratch.write("a.yml", "");
  scratch.write("sub/c.yaml", "");
  scratch.write("README.md", "x");
  scratch.write(".hidden.yaml", "x");
  scratch.write("..2026/d.yaml", "x");
  fs::create_directory_symlink("..", scratch.path() / "sub" / "up");  // leads back up and ends there
  fs::create_symlink("b.yaml", scratch.path() / "link.yaml");
  CHECK(names(scratch) == "a.yml b.yaml link.yaml sub/c.yaml");
  fs::create_symlink("nowhere", scratch.path() / "broken.yaml");
  CHECK(names(scratch).find("cannot be read") != std::string::npos);
}

TEST_CASE("what is not there, and what is too large", "[config]") {
  const auto missing = read_directory("/nonexistent/documents");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().front().kind == ErrorKind::not_found);
  const Scratch scratch;
  scratch.write("a.yaml", "12345");
  scratch.write("b.yaml", "12345");
  policy::DocumentLimits limits;
  limits.file_bytes_max = 4;
  CHECK(names(scratch, limits).find("larger than 4 bytes") != std::string::npos);
  limits.file_bytes_max = 5;
  limits.set_bytes_max = 9;
  CHECK(names(scratch, limits) == "refused: the set is larger than 9 bytes");
  limits.set_bytes_max = 10;
  CHECK(names(scratch, limits) == "a.yaml b.yaml");
}

TEST_CASE("a mounted ConfigMap is read once, through its names", "[config]") {
  const Scratch scratch;
  scratch.write("..one/platform.yaml", platform("one"));
  fs::create_directory_symlink("..one", scratch.path() / "..data");
  fs::create_symlink("..data/platform.yaml", scratch.path() / "platform.yaml");
  CHECK(names(scratch) == "platform.yaml");
  auto store = Store::open(scratch.path(), false);
  REQUIRE(store);
  const std::string before((*store)->current()->hash());
  scratch.write("..two/platform.yaml", platform("two"));
  fs::create_directory_symlink("..two", scratch.path() / "..data_tmp");
  fs::rename(scratch.path() / "..data_tmp", scratch.path() / "..data");
  CHECK((*store)->reload().empty());
  CHECK((*store)->current()->documents().platform.name == "two");
  CHECK((*store)->current()->hash() != before);
}

TEST_CASE("a set that is given counts whole or not at all", "[config]") {
  const auto file = [](const std::string& kind, const std::string& name, const std::string& spec) {
    return policy::DocumentFile{kind + "/" + name, R"({"apiVersion":"portcullis.dev/v1","kind":")" + kind + R"(","metadata":{"name":")" +
                                                       name + R"("},"spec":)" + spec + "}"};
  };
  const policy::DocumentFile hoster = file("Platform", "hoster", R"({"environments":["production"]})");
  CHECK_FALSE(Store::open(std::vector<policy::DocumentFile>{}, false));
  auto opened = Store::open(std::vector{hoster}, false);
  REQUIRE(opened);
  Store& store = **opened;
  std::size_t told = 0;
  store.on_reload([&](const Store::Snapshot&, const policy::DocumentErrors&) { ++told; });
  const Store::Snapshot before = store.current();
  const auto errors = store.replace({hoster, file("Tenant", "acme", R"({"tier":9,"timeZone":"Europe/Zurich","namespaces":[]})")});
  REQUIRE_FALSE(errors.empty());
  CHECK(errors.front().where.starts_with("Tenant/acme:1:"));
  CHECK(store.current() == before);
  CHECK_FALSE(store.reload().empty());  // what was given last is what is read again
  CHECK(store.replace({hoster, file("Tenant", "acme", R"({"tier":1,"timeZone":"Europe/Zurich","namespaces":[{"name":"a\u00e9\/b"}]})")})
            .size() > 0);
  CHECK(
      store
          .replace(
              {hoster,
               file(
                   "Tenant", "acme",
                   R"({"tier":1,"timeZone":"Europe/Zurich","namespaces":[{"name":"acme","environment":"production","tenancy":"dedicated"}]})")})
          .empty());
  CHECK(store.current()->documents().tenants.size() == 1);
  CHECK(store.current()->hash() != before->hash());
  CHECK(told == 4);
  CHECK(store.status().failures == 3);
}

TEST_CASE("a bad set is refused and the old one stays", "[config]") {
  const Scratch scratch;
  scratch.write("platform.yaml", platform("good"));
  auto opened = Store::open(scratch.path(), false);
  REQUIRE(opened);
  Store& store = **opened;
  std::size_t told = 0, refused = 0;
  store.on_reload([&](const Store::Snapshot& in_force, const policy::DocumentErrors& errors) {
    CHECK(in_force->documents().platform.name == (errors.empty() && told > 0 ? "better" : "good"));
    ++told;
    refused += errors.empty() ? 0 : 1;
  });
  const Store::Snapshot before = store.current();
  CHECK(before->hash().starts_with("sha256:"));
  CHECK(before->hash().size() == 7 + 64);

  scratch.write("platform.yaml", platform("good") + "spec: {}\n");
  const policy::DocumentErrors errors = store.reload();
  REQUIRE(errors.size() == 1);
  CHECK(errors.front().message() == "platform.yaml:5:1: found the key `spec` a second time, want each key once (the first is at 4:1)");
  CHECK(store.current() == before);
  CHECK(store.status().failures == 1);
  CHECK(store.status().last_error == errors.front().message());
  CHECK(store.version() == 1);

  fs::remove(scratch.path() / "platform.yaml");
  CHECK_FALSE(store.reload().empty());
  CHECK(store.current() == before);

  scratch.write("platform.yaml", platform("better"));
  CHECK(store.reload().empty());
  CHECK(store.current()->documents().platform.name == "better");
  CHECK(store.status().last_error.empty());
  CHECK(store.status().loads == 2);
  CHECK(before->documents().platform.name == "good");  // who still holds it reads on
  CHECK(told == 3);
  CHECK(refused == 2);
}

TEST_CASE("the first set must be good, and the guard needs its policy", "[config]") {
  const Scratch scratch;
  scratch.write("platform.yaml", platform("p"));
  CHECK(Store::open(scratch.path(), false));
  const auto guarded = Store::open(scratch.path(), true);
  REQUIRE_FALSE(guarded);
  CHECK(guarded.error().front().what == "found no GuardPolicy, want exactly one where the guard runs");
}

TEST_CASE("readers read while sets are swapped, and never a mixed one", "[config]") {
  // Two files that say the same name; a set that mixes them would not.
  constexpr int fillers = 20;
  const Scratch scratch;
  const auto prepare = [&](const std::string& name) {
    scratch.write(".." + name + "/a.yaml", platform(name));
    for (int i = 0; i < fillers; ++i) scratch.write(".." + name + "/m" + std::to_string(i) + ".yaml", "# between the two\n");
    scratch.write(".." + name + "/z.yaml", tenant(name));
  };
  const auto swap_to = [&](const std::string& name) {
    fs::create_directory_symlink(".." + name, scratch.path() / "..data_tmp");
    fs::rename(scratch.path() / "..data_tmp", scratch.path() / "..data");
  };
  prepare("set-0");
  swap_to("set-0");
  fs::create_symlink("..data/a.yaml", scratch.path() / "a.yaml");
  for (int i = 0; i < fillers; ++i) {
    const std::string name = "m" + std::to_string(i) + ".yaml";
    fs::create_symlink("..data/" + name, scratch.path() / name);
  }
  fs::create_symlink("..data/z.yaml", scratch.path() / "z.yaml");
  auto opened = Store::open(scratch.path(), false);
  REQUIRE(opened);
  Store& store = **opened;

  std::atomic<bool> done{false};
  std::atomic<std::size_t> mixed{0}, reads{0};
  const auto read = [&] {
    Reader reader(store);
    while (!done) {
      if (is_mixed(*reader.snapshot())) ++mixed;
      ++reads;
    }
  };
  std::thread first(read), second(read);
  std::thread swapper([&] {
    for (int i = 1; !done; ++i) {  // a new folder each time, as Kubernetes does
      prepare("set-" + std::to_string(i));
      swap_to("set-" + std::to_string(i));
    }
  });
  std::size_t taken = 0;
  const auto deadline = Clock::now() + std::chrono::seconds(60);
  for (int i = 0; i < 200 && Clock::now() < deadline; ++i) {
    taken += store.reload().empty() ? 1 : 0;
    if (is_mixed(*store.current())) ++mixed;
  }
  // With no more swaps a reload is taken.
  done = true;
  first.join();
  second.join();
  swapper.join();
  CHECK(store.reload().empty());
  CHECK(mixed == 0);
  CHECK(reads > 0);
  CHECK_FALSE(is_mixed(*store.current()));
  CHECK(store.status().loads == taken + 2);
}
