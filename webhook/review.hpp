// AdmissionReview in: bytes to a Subject, strictly. contracts: Kubernetes admission.k8s.io/v1 (k8s.io/api/admission/v1
// types.go). What cannot be read is an error for a 4xx; an object beyond the work budget is a review that can be answered.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "policy/object/json_reader.hpp"
#include "policy/object/subject.hpp"
#include "policy/object/value.hpp"

namespace portcullis::webhook {

// One review; views into the request's body and its own tree. Reused by a loop, so that reading allocates nothing when warm.
struct Review {
  std::string_view uid;
  policy::Subject subject;
  policy::OverBudget over = policy::OverBudget::no;
  // The object carries another namespace than the request is for (threats A49).
  bool namespace_differs = false;

  policy::JsonReader reader;
  policy::Tree tree;
};

// `padded_body`: 64 readable bytes follow its last. `workload_kinds`: the Platform's. Errors (ErrorKind::invalid) are short
// and show of the request only its envelope's words, escaped and cut.
Result<void> read_review(std::string_view padded_body, std::span<const policy::WorkloadKind> workload_kinds,
                         const policy::WorkBudget& budget, Review& review);

}  // namespace portcullis::webhook
