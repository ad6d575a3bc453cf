// AdmissionReview out: a Decision as the answer that the API server takes (admission.k8s.io/v1; apiserver
// pkg/admission/plugin/webhook/request/admissionreview.go and errors/statuserror.go for what it checks).
#pragma once

#include <string>
#include <string_view>

#include "policy/decision.hpp"
#include "policy/object/subject.hpp"

namespace portcullis::webhook {

// What reaches a client through headers and logs has bounds (apiserver pkg/endpoints/filters/warning.go: all warnings are cut
// once they pass 4,096 runes together; one with a control character is dropped silently).
inline constexpr std::size_t warning_characters_max = 256;
inline constexpr std::size_t warnings_characters_max = 4'096;
inline constexpr std::size_t message_bytes_max = 2'048;
inline constexpr std::size_t causes_max = 50;
inline constexpr std::size_t annotation_bytes_max = 1'024;

// The answer of /validate into `body` (cleared first; allocates nothing for a plain allow once it has grown). `policy_hash`
// and the object's own change-ticket and approved-by annotations become audit annotations.
void write_validation(std::string_view uid, const policy::Subject& subject, const policy::Decision& decision, std::string_view policy_hash,
                      std::string& body);

// The answer of /mutate: allowed, with the patch when it is not empty. No audit annotations: a reinvocation with another value
// would be refused.
void write_mutation(std::string_view uid, const policy::Patch& patch, std::string& body);

// All findings that deny, in one text for a person; what does not fit is counted.
std::string denial_message(const policy::Decision& decision);

}  // namespace portcullis::webhook
