// The small languages of documents and of the webhook's query: what is printed reads back, what is read is in its bounds.
#include "policy/document/formats.hpp"

#include "tests/fuzz/fuzz.hpp"
#include "webhook/deadline.hpp"

using namespace portcullis;
using fuzz::must;
using namespace std::chrono_literals;

PORTCULLIS_FUZZ_TARGET(input) {
  if (const auto duration = policy::parse_duration(input)) {
    must(*duration > 0s && *duration <= policy::duration_max, "a duration is in its bounds");
    const std::string text = policy::duration_text(*duration);
    must(policy::parse_duration(text) == duration, "a duration's text reads back", text);
  }
  if (const auto instant = policy::parse_instant(input)) {
    must(instant->time_since_epoch().count() >= 0, "an instant is in or after 1970");
  }
  if (const auto date = policy::parse_date(input)) must(date->time_since_epoch().count() >= 0, "a date is in or after 1970");
  if (const auto time = policy::parse_local_time(input)) must(time->hour * 60 + time->minute <= 24 * 60, "a local time is of a day");
  if (const auto rate = policy::parse_rate(input)) must(rate->count > 0 && rate->per.count() > 0, "a rate is above nothing");
  if (const auto network = policy::parse_network(input)) must(network->prefix <= 128, "a prefix fits its address");
  if (policy::is_dns_label(input)) must(policy::is_dns_subdomain(input), "a label is a subdomain");
  if (policy::is_dns_subdomain(input)) must(policy::is_host(input), "a subdomain is a host");
  if (const auto duration = webhook::parse_go_duration(input)) must(duration->count() >= 0, "a timeout is not negative");
  const auto budget = webhook::answer_budget(input);
  must(budget >= webhook::timeout_min / 2 && budget <= webhook::timeout_max, "time to answer is in its bounds");
}
