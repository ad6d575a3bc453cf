// What became of a document, as the condition `Accepted` of its object's status says it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "policy/object/value.hpp"

namespace portcullis::kube {

inline constexpr std::size_t condition_message_bytes_max = 2'048;

enum class Acceptance { accepted, refused, set_refused };  // set_refused: nothing is wrong with it, but with another of the set

struct Outcome {
  Acceptance acceptance = Acceptance::accepted;
  std::string message;
};

// By the documents' names ("Tenant/meridian-advisory"), from the errors that refused a set; none: it is in force. An error belongs to
// the document that its place begins with ("Tenant/meridian-advisory:1:34 spec.tier"); one without such a place belongs to all.
std::map<std::string, Outcome> outcomes_of(const std::vector<std::string>& names, const std::vector<Error>& errors);

// The condition as it stands in an object.
struct Condition {
  std::string status, reason, message;
  std::int64_t observed_generation = 0;
};
std::optional<Condition> accepted_condition(policy::Value object);

// The merge patch that makes the object's status say `outcome` about `generation`; none where it says so already, or where it says
// that this generation is in force and only others were refused. `conditions`: those of the object, of which others' are kept.
std::optional<std::string> status_patch(policy::Value conditions, std::int64_t generation, const Outcome& outcome, Instant now);

}  // namespace portcullis::kube
