// `*` and `**` in the patterns of documents: image repositories, names of Secrets, tags.
#pragma once

#include <string_view>

namespace portcullis::policy {

// Is `text` as a whole what `pattern` says? `*` stands for any bytes but '/', `**` for any bytes; all else for itself. Allocates
// nothing; at worst |pattern| x |text| steps.
bool glob_matches(std::string_view pattern, std::string_view text);

}  // namespace portcullis::policy
