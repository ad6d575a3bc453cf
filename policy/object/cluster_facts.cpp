#include "policy/object/cluster_facts.hpp"

namespace portcullis::policy {

std::string_view fact_kind_name(FactKind kind) {
  switch (kind) {
    case FactKind::namespaces:
      return "namespaces";
    case FactKind::workloads:
      return "workloads";
    case FactKind::autoscalers:
      return "autoscalers";
    case FactKind::budgets:
      return "budgets";
  }
  return "facts";
}

}  // namespace portcullis::policy
