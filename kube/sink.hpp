// Where a resource's objects go: told by its Reflector, in order, on the kube thread. Values are good during the call.
#pragma once

#include <string_view>

#include "kube/watch_lines.hpp"
#include "policy/object/value.hpp"

namespace portcullis::kube {

class Sink {
 public:
  virtual ~Sink() = default;
  // A whole new state is coming, into a place of its own; what was begun before and not ended is forgotten. Until replaced() the
  // old state is what is served.
  virtual void begin() = 0;
  virtual void take(policy::Value object) = 0;            // one object of it
  virtual void replaced(std::string_view version) = 0;    // it is whole, as of `version`
  virtual void changed(const WatchEvent& event) = 0;      // added, modified or deleted after that
  virtual void progressed(std::string_view version) = 0;  // everything up to `version` has been said
  virtual void not_served() = 0;                          // the API server does not know the resource: there is nothing
};

}  // namespace portcullis::kube
