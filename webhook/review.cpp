#include "webhook/review.hpp"

#include <array>
#include <cstdint>

#include "base/text.hpp"
#include "policy/object/group.hpp"

namespace portcullis::webhook {
namespace {

using policy::Value;
using policy::ValueKind;

constexpr std::string_view api_version = "admission.k8s.io/v1";
constexpr std::size_t uid_bytes_max = 256;  // the API server sends 36

tl::unexpected<Error> refuse(std::string_view where, std::string what) { return fail(ErrorKind::invalid, where, std::move(what)); }

std::string found_kind(Value value) { return "found " + std::string(kind_name(value.kind())); }

// The members of one envelope object by name. A name twice is refused: two readers could take two answers for one question.
template <std::size_t N>
struct Members {
  std::array<Value, N> value;

  Result<void> read(Value object, const std::array<std::string_view, N>& names, std::string_view where) {
    if (!object.is(ValueKind::object)) return refuse(where, found_kind(object) + ", want an object");
    value = {};
    for (const Value member : object) {
      for (std::size_t index = 0; index < N; ++index) {
        if (member.key() != names[index]) continue;
        if (value[index]) return refuse(std::string(where) + '.' + std::string(names[index]), "the same name twice");
        value[index] = member;
        break;
      }
    }
    return {};
  }
};

// An optional string: absent and null are empty.
Result<std::string_view> text(Value value, std::string_view where) {
  if (!value.present()) return std::string_view{};
  if (!value.is(ValueKind::string)) return refuse(where, found_kind(value) + ", want a string");
  return value.text();
}

enum RequestField { uid, kind, resource, sub_resource, name, name_space, operation, user_info, object, old_object, dry_run };
constexpr std::array<std::string_view, 11> request_names{"uid",       "kind",     "resource", "subResource", "name",  "namespace",
                                                         "operation", "userInfo", "object",   "oldObject",   "dryRun"};
constexpr std::array<std::string_view, 3> root_names{"apiVersion", "kind", "request"};
constexpr std::array<std::string_view, 3> kind_names{"group", "version", "kind"};
constexpr std::array<std::string_view, 3> resource_names{"group", "version", "resource"};
constexpr std::array<std::string_view, 2> user_names{"username", "groups"};

Result<policy::Operation> read_operation(Value value) {
  const std::string_view word = value.text();
  if (word == "CREATE") return policy::Operation::create;
  if (word == "UPDATE") return policy::Operation::update;
  if (word == "DELETE") return policy::Operation::remove;
  if (word == "CONNECT") return policy::Operation::connect;
  return refuse("request.operation", "found " + (value.is(ValueKind::string) ? quoted(word) : std::string(kind_name(value.kind()))) +
                                         ", want CREATE, UPDATE, DELETE or CONNECT");
}

Result<void> read_user(Value value, policy::User& user) {
  Members<2> members;
  if (auto read = members.read(value, user_names, "request.userInfo"); !read) return read;
  const auto username = text(members.value[0], "request.userInfo.username");
  if (!username) return tl::unexpected(username.error());
  user.name = *username;
  user.known = true;
  const Value groups = members.value[1];
  if (!groups.present()) return {};
  if (!groups.is(ValueKind::array)) return refuse("request.userInfo.groups", found_kind(groups) + ", want a list");
  for (const Value group : groups) {
    if (!group.is(ValueKind::string)) return refuse("request.userInfo.groups", found_kind(group) + ", want strings");
    user.groups.push_back(group.text());
  }
  return {};
}

// Three names of one kind or resource, each a string.
Result<void> read_names(Value value, const std::array<std::string_view, 3>& names, std::string_view where,
                        std::array<std::string_view, 3>& out) {
  Members<3> members;
  if (auto read = members.read(value, names, where); !read) return read;
  for (std::size_t index = 0; index < names.size(); ++index) {
    const auto each = text(members.value[index], where);
    if (!each) return tl::unexpected(each.error());
    out[index] = *each;
  }
  return {};
}

Result<Value> read_object_value(Value value, std::string_view where) {
  if (!value.present()) return Value{};
  if (!value.is(ValueKind::object)) return refuse(where, found_kind(value) + ", want an object");
  return value;
}

}  // namespace

Result<void> read_review(std::string_view padded_body, std::span<const policy::WorkloadKind> workload_kinds,
                         const policy::WorkBudget& budget, Review& review) {
  review.uid = {};
  review.namespace_differs = false;
  policy::Subject& subject = review.subject;
  subject.clear();
  const policy::ReadOutcome outcome = review.reader.read(padded_body, policy::JsonShape::review, budget, review.tree);
  if (outcome.error) return refuse("body", std::string("not JSON: ") + outcome.error);
  review.over = outcome.over;

  Members<3> root;
  if (auto read = root.read(review.tree.root(), root_names, "body"); !read) return read;
  if (root.value[0].text() != api_version || root.value[1].text() != "AdmissionReview")
    return refuse("body", "found " + quoted(root.value[0].text()) + " " + quoted(root.value[1].text()) + ", want " +
                              std::string(api_version) + " AdmissionReview");
  Members<request_names.size()> request;
  if (auto read = request.read(root.value[2], request_names, "request"); !read) return read;

  review.uid = request.value[uid].text();
  if (review.uid.empty() || review.uid.size() > uid_bytes_max)
    return refuse("request.uid",
                  request.value[uid].is(ValueKind::string) ? "empty or too long" : found_kind(request.value[uid]) + ", want a string");
  const auto read_op = read_operation(request.value[operation]);
  if (!read_op) return tl::unexpected(read_op.error());
  subject.operation = *read_op;

  std::array<std::string_view, 3> names;
  if (auto read = read_names(request.value[kind], kind_names, "request.kind", names); !read) return read;
  subject.group = policy::canonical_group(names[0], names[2]);
  subject.version = names[1];
  subject.kind = names[2];
  if (subject.kind.empty()) return refuse("request.kind", "found no kind");
  if (auto read = read_names(request.value[resource], resource_names, "request.resource", names); !read) return read;
  subject.resource_group = names[0];
  subject.resource = names[2];

  const std::array<std::pair<RequestField, std::string_view*>, 3> texts{
      {{sub_resource, &subject.subresource}, {name, &subject.name}, {name_space, &subject.name_space}}};
  for (const auto& [field, target] : texts) {
    const auto each = text(request.value[field], request_names[field]);
    if (!each) return tl::unexpected(each.error());
    *target = *each;
  }
  subject.dry_run = request.value[dry_run].is_true();
  if (auto read = read_user(request.value[user_info], subject.user); !read) return read;

  const auto new_root = read_object_value(request.value[object], "request.object");
  if (!new_root) return tl::unexpected(new_root.error());
  const auto old_root = read_object_value(request.value[old_object], "request.oldObject");
  if (!old_root) return tl::unexpected(old_root.error());
  const bool writes = subject.operation == policy::Operation::create || subject.operation == policy::Operation::update;
  if (writes && !*new_root && review.over == policy::OverBudget::no) return refuse("request.object", "found null, want the object");
  subject.object.root = *new_root;
  subject.old_object.root = *old_root;
  policy::read_object(subject, workload_kinds);

  const Value metadata = subject.judged().metadata;
  subject.generate_name = metadata["generateName"].text();
  if (subject.name.empty()) subject.name = metadata["name"].text();
  const std::string_view own_namespace = metadata["namespace"].text();
  review.namespace_differs = !own_namespace.empty() && own_namespace != subject.name_space && subject.kind != "Namespace";
  return {};
}

}  // namespace portcullis::webhook
