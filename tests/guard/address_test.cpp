#include "guard/address.hpp"

#include "guard/client_address.hpp"
#include "tests/guard/support.hpp"

using namespace portcullis::guard;
using testing::address;

TEST_CASE("address: one form a host, and only inet_pton's", "[guard][address]") {
  struct Case {
    const char* text;
    bool accepted;
  };
  const Case cases[] = {
      {"198.51.100.7", true},
      {"0.0.0.0", true},
      {"255.255.255.255", true},
      {"2001:db8::1", true},
      {"::1", true},
      {"::ffff:198.51.100.7", true},
      // B20: inet_aton's reading
      {"0177.0.0.1", false},
      {"2130706433", false},
      {"0x7f.1", false},
      {"127.1", false},
      {"010.0.0.1", false},
      {"+1.2.3.4", false},
      {"1.2.3.04", false},
      {"１.2.3.4", false},
      {"1.2.3.256", false},
      {"1.2.3.4.5", false},
      {"1.2.3.", false},
      {"1..3.4", false},
      {"1.2.3.4 ", false},
      {"1.2.3.1234", false},
      // B2: forms of RFC 7239 and of helpful proxies
      {"1.2.3.4:55", false},
      {"[2001:db8::1]:443", false},
      {"[2001:db8::1]", false},
      {"\"1.2.3.4\"", false},
      {"unknown", false},
      {"_x", false},
      {"", false},
      {"\t1.2.3.4", false},
      // B19: zones
      {"fe80::1%eth0", false},
      {"2001:db8::1%25eth0", false},
      {"2001:db8:::1", false},
      {"12345::", false},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION("`" << c.text << "`") { CHECK(parse_address(c.text).has_value() == c.accepted); }
  }
  CHECK_FALSE(parse_address("fe80::1%" + std::string(300, 'z')));
  CHECK_FALSE(parse_address(std::string_view("::1\0", 4)));
}

TEST_CASE("address: a mapped IPv4 address is that IPv4 address (B17), an embedded one is not (B18)", "[guard][address]") {
  CHECK(address("::ffff:198.51.100.7") == address("198.51.100.7"));
  CHECK(is_ipv4(address("::ffff:c633:6407")));
  for (const char* text : {"::198.51.100.7", "64:ff9b::198.51.100.7", "2002:c633:6407::", "2001:0:c633:6407::"})
    CHECK_FALSE(is_ipv4(address(text)));
}

TEST_CASE("address: a client is an IPv4 address or an IPv6 /64 (B22)", "[guard][address]") {
  CHECK(client_key(address("198.51.100.7")) == address("198.51.100.7"));
  CHECK(client_key(address("2001:db8:1:2:aaaa::1")) == client_key(address("2001:db8:1:2:ffff:ffff:ffff:ffff")));
  CHECK(client_key(address("2001:db8:1:2::1")) != client_key(address("2001:db8:1:3::1")));
}

TEST_CASE("client address: counted from the right", "[guard][client]") {
  struct Case {
    const char* name;
    std::vector<std::string_view> lines;
    std::uint32_t hops;
    const char* client;  // or "" with the reason
    Reason reason;
  };
  std::string thirty_two = "203.0.113.1", thirty_three;
  for (int i = 0; i < 31; ++i) thirty_two += ", 203.0.113.1";
  thirty_three = thirty_two + ",203.0.113.1";
  const std::string long_line = std::string(4096, ' ') + "203.0.113.1";
  const Case cases[] = {
      {"one hop: the right-most", {"198.51.100.7"}, 1, "198.51.100.7", Reason::none},
      {"B1: what the client wrote is not read", {"10.0.0.1, 198.51.100.7"}, 1, "198.51.100.7", Reason::none},
      {"B1: nor is it parsed", {"%%%, unknown, 198.51.100.7"}, 1, "198.51.100.7", Reason::none},
      {"two hops", {"10.0.0.1, 198.51.100.7, 192.0.2.9"}, 2, "198.51.100.7", Reason::none},
      {"B3: lines are one list", {"10.0.0.1", "198.51.100.7", "192.0.2.9"}, 2, "198.51.100.7", Reason::none},
      {"B17: mapped", {"::ffff:198.51.100.7"}, 1, "198.51.100.7", Reason::none},
      {"fewer elements than hops", {"198.51.100.7"}, 2, "", Reason::bad_client_address},
      {"B2: port", {"10.0.0.1, 198.51.100.7:55"}, 1, "", Reason::bad_client_address},
      {"B2: trailing comma", {"198.51.100.7,"}, 1, "", Reason::bad_client_address},
      {"B2: empty", {""}, 1, "", Reason::bad_client_address},
      {"B2: a tab", {"10.0.0.1,\t198.51.100.7"}, 1, "", Reason::bad_client_address},
      {"B2: unknown", {"unknown"}, 1, "", Reason::bad_client_address},
      {"B19: link-local", {"fe80::1"}, 1, "", Reason::bad_client_address},
      {"B19: zone", {"fe80::1%eth0"}, 1, "", Reason::bad_client_address},
      {"B3: 32 elements", {thirty_two}, 1, "203.0.113.1", Reason::none},
      {"B3: 33 elements", {thirty_three}, 1, "", Reason::forwarded_for_too_long},
      {"B3: over 4 KiB", {long_line}, 1, "", Reason::forwarded_for_too_long},
      {"B3: over 4 KiB in two lines", {long_line.substr(0, 4090), "203.0.113.1"}, 1, "", Reason::forwarded_for_too_long},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.name) {
      Address client{};
      CHECK(reason_name(find_client(c.lines, c.hops, client)) == reason_name(c.reason));
      if (c.reason == Reason::none) CHECK(client == address(c.client));
    }
  }
}
