// What the program says to the shell: 0 fine, 1 the answer is no, 2 could not be judged. 2 beats 1, because the answer is
// incomplete. The same for every command and every output format.
#pragma once

#include <algorithm>

namespace portcullis::cli {

enum class ExitCode : int { fine = 0, no = 1, not_judged = 2 };

inline ExitCode worse(ExitCode a, ExitCode b) { return std::max(a, b); }

}  // namespace portcullis::cli
