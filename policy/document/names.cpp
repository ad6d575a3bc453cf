// The words of documents for the values of enums.
#include "policy/document/documents.hpp"

namespace portcullis::policy {

std::string_view mode_name(Mode mode) {
  switch (mode) {
    case Mode::enforce:
      return "enforce";
    case Mode::warn:
      return "warn";
    case Mode::audit:
      return "audit";
  }
  return "";
}

std::string_view failure_mode_name(FailureMode mode) {
  switch (mode) {
    case FailureMode::deny:
      return "deny";
    case FailureMode::warn:
      return "warn";
    case FailureMode::allow:
      return "allow";
  }
  return "";
}

std::string_view tenancy_name(Tenancy tenancy) {
  switch (tenancy) {
    case Tenancy::dedicated:
      return "dedicated";
    case Tenancy::multi_tenant:
      return "multi-tenant";
  }
  return "";
}

std::string_view limit_key_name(LimitKey key) {
  switch (key) {
    case LimitKey::address:
      return "address";
    case LimitKey::session:
      return "session";
    case LimitKey::api_key:
      return "api-key";
    case LimitKey::tenant:
      return "tenant";
    case LimitKey::login:
      return "login";
  }
  return "";
}

std::string_view operation_name(Operation operation) {
  switch (operation) {
    case Operation::create:
      return "CREATE";
    case Operation::update:
      return "UPDATE";
    case Operation::remove:
      return "DELETE";
    case Operation::connect:
      return "CONNECT";
  }
  return "";
}

}  // namespace portcullis::policy
