// What the API server is to send here, made of the documents and of what their rules judge: one validating entry a tier, so
// that a tier fails closed or open by itself, one for namespaces and one for their parts, and the mutating twins.
//
// A request matches at most one entry of a phase: the API server shows a user one webhook's message only, and a call costs.
// Namespaces choose their entry by the label portcullis.dev/tier, which /mutate writes and nobody else may; one without it is
// judged by the strictest, and mended wherever any is.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "policy/document/documents.hpp"

namespace portcullis::cli {

struct WebhookOptions {
  std::string name_space = "portcullis-system";
  std::string service = "portcullis-webhook";
};

nlohmann::ordered_json validating_configuration(const policy::DocumentSet& documents, const WebhookOptions& options);
nlohmann::ordered_json mutating_configuration(const policy::DocumentSet& documents, const WebhookOptions& options);

// Does a write in a namespace of this tier wait for the gate? Yes where an enforced rule that may bind it fails closed; for
// tier 1, whose entry takes namespaces that nobody owns too, also where those are denied.
bool fails_closed(const policy::DocumentSet& documents, int tier);

// Kinds that a policy names and that are not sent, each a sentence for the operator: no table tells which group a bare kind is
// of, and every group's would be asked for too much.
std::vector<std::string> kinds_not_sent(const policy::DocumentSet& documents);

// Both, as `render webhook-config` prints them.
std::string webhook_configurations(const policy::DocumentSet& documents, const WebhookOptions& options);

}  // namespace portcullis::cli
