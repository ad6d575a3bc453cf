// Lines of an access log: however the bytes come, they are cut into the same lines; what is told of a line has its bounds.
#include "guard/access_log_line.hpp"
#include "guard/planted_ids.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace portcullis;
using fuzz::must;

PORTCULLIS_FUZZ_TARGET(input) {
  const std::size_t step = std::size_t{fuzz::take(input)} + 1;
  std::vector<std::string> whole, pieces;
  guard::LineSplitter at_once, in_steps;
  at_once.feed(input, [&](std::string_view line) { whole.emplace_back(line); });
  for (std::size_t at = 0; at < input.size(); at += step)
    in_steps.feed(input.substr(at, step), [&](std::string_view line) { pieces.emplace_back(line); });
  must(whole == pieces, "lines do not depend on how their bytes come");
  guard::AccessLogParser parser;
  for (const std::string& line : whole) {
    guard::FinishedRequest request;
    if (parser.read(line, request) != guard::AccessLogParser::Line::ours) continue;
    must(guard::looks_planted(request.id), "an id has its shape", request.id);
    must(request.downstream_status >= 0 && request.downstream_status <= 999, "a status has three digits");
    must(request.origin_status >= 0 && request.origin_status <= 999, "a status has three digits");
    must(request.duration.count() >= 0, "time does not run backwards");
  }
}
