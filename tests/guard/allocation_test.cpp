// A request that passes allocates nothing once the loop's scratch has grown.
#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/guard/support.hpp"

namespace {
std::atomic<std::uint64_t> allocations{0};
}  // namespace

// Kept whole: g++ takes an inlined delete for a free() of what new gave.
[[gnu::noinline]] void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

using namespace portcullis;
using namespace portcullis::guard;
using testing::Forwarded;

TEST_CASE("guard: a passing request allocates nothing", "[guard][allocation]") {
  auto set = testing::documents();
  set.tenants[0].guard->lists = {testing::list("offices", {"198.51.100.0/24", "2001:db8:77::/48"}, 10)};
  set.tenants[0].guard->access = {testing::entry({.classes = {"rpc-web"}, .allow = {"offices"}, .deny = {}})};
  Guard guard;
  guard.swap_in(GuardSnapshot::compile(set));
  const auto handler = make_handler(guard, nullptr);
  Forwarded forwarded("/web/dataset/call_kw/res.partner/web_search_read?a=1", "POST");
  forwarded.add("Cookie", "frontend_lang=fr_FR; session_id=" + testing::session('s')).add("Authorization", "Bearer abc");
  const net::Request& request = forwarded.request();
  net::Response response;
  handler->answer(request, response);
  REQUIRE(response.status == 200);
  const std::uint64_t before = allocations.load();
  for (int i = 0; i < 20; ++i) handler->answer(request, response);
  const std::uint64_t made = allocations.load() - before;
  CHECK(made == 0);
  CHECK(response.status == 200);
}
