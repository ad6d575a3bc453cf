#include "webhook/patching.hpp"

#include <nlohmann/json.hpp>

#include "policy/object/to_json.hpp"

namespace portcullis::webhook {
namespace {

Result<std::string> apply(policy::Value object, const policy::Patch& patch) {
  try {
    auto document = nlohmann::json::parse(policy::to_json(object));
    document.patch_inplace(nlohmann::json::parse(patch.json()));
    return document.dump();
  } catch (const nlohmann::json::exception& error) {
    return fail(ErrorKind::invalid, "patch", std::string("does not apply: ") + error.what());
  }
}

}  // namespace

Result<void> prove(const policy::PolicySnapshot& snapshot, const policy::Subject& subject, Instant now, const policy::Patch& patch) {
  const Result<std::string> patched = apply(subject.object.root, patch);
  if (!patched) return tl::unexpected(patched.error());
  policy::WorkBudget budget;
  budget.nodes_max *= 2;  // a patch adds little to an object that was within its budget
  budget.depth_max *= 2;
  const Result<policy::Tree> tree = policy::Tree::parse_copy(*patched, budget);
  if (!tree) return tl::unexpected(tree.error());
  policy::Subject again = subject;
  again.object.clear();
  again.object.root = tree->root();
  policy::read_object(again, snapshot.documents().platform.workload_kinds);
  policy::PolicySnapshot::Scratch scratch;
  policy::Patch second;
  snapshot.mend(again, now, scratch, second);
  if (!second.empty()) return fail(ErrorKind::invalid, "patch", "a second run would add " + second.operations().front().path);
  return {};
}

}  // namespace portcullis::webhook
