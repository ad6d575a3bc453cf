// Work that can be called off from outside itself.
#pragma once

#include "net/background.hpp"
#include "net/task.hpp"

namespace portcullis::net {

// Runs `work` to its end, or until `stop` is notified: then it is cancelled and waited for. What came of it is for `work` to
// have said. `stop` outlives it.
Task<void> until(Event& stop, Task<void> work);

}  // namespace portcullis::net
