// What `check` has to say, and the forms it says it in. Every form says the same; the exit code does not depend on it.
#pragma once

#include <chrono>
#include <ostream>
#include <string>
#include <vector>

#include "cli/judge_files.hpp"

namespace portcullis::cli {

struct ExpiredException {
  std::string name, place;  // place: file and line of the document
  Instant expired_at{};
};

struct Report {
  const Manifests* manifests = nullptr;
  FileDecisions judged;
  std::vector<ManifestError> errors;      // all that could not be judged, reading and judging
  std::vector<ExpiredException> expired;  // inert exceptions among the documents
  std::chrono::milliseconds took{0};
};

struct Counts {
  std::size_t objects = 0, allowed = 0, warned = 0, denied = 0;
  std::size_t excepted = 0, audited = 0;  // findings
};
Counts count(const Report& report);

struct Terminal {
  bool colours = false;
  std::size_t width = 100;
};
// Colours only where `out` is the program's standard output, a terminal, without NO_COLOR and with a TERM that is not dumb.
Terminal terminal_of(const std::ostream& out);

void write_table(const Report& report, const Terminal& terminal, std::ostream& out);
void write_json(const Report& report, std::ostream& out);

}  // namespace portcullis::cli
