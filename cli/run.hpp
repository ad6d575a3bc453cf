// The whole program behind main(): words to a command, its exit code back. Tests run commands through it in process.
#pragma once

#include <istream>
#include <ostream>

namespace portcullis::cli {

// `argv` as main() gets it. Answers go to `out`, errors to `err`. Returns 0, 1 or 2 (exit_code.hpp).
int run(int argc, const char* const* argv, std::istream& in, std::ostream& out, std::ostream& err);

}  // namespace portcullis::cli
