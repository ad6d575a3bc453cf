#include "kube/object_reader.hpp"

#include <simdjson.h>

#include <utility>

#include "policy/object/json_reader.hpp"

namespace portcullis::kube {
namespace {

using policy::Value;
namespace ondemand = simdjson::ondemand;

constexpr std::string_view place = "the API server's answer";
static_assert(json_padding >= simdjson::SIMDJSON_PADDING);

tl::unexpected<Error> no_json(simdjson::error_code error) {
  return fail(ErrorKind::invalid, place, std::string("is no JSON that can be read: ") + simdjson::error_message(error));
}
tl::unexpected<Error> without(const char* wanted) { return fail(ErrorKind::invalid, place, std::string("holds no ") + wanted); }

}  // namespace

struct ObjectReader::Impl {
  ondemand::parser parser;
  policy::JsonReader reader;
  policy::Tree tree;

  Result<Value> read(std::string_view padded) {
    const policy::WorkBudget budget{.depth_max = object_depth_max, .nodes_max = object_nodes_max};
    const policy::ReadOutcome outcome = reader.read(padded, policy::JsonShape::object, budget, tree);
    if (outcome.error) return fail(ErrorKind::invalid, place, std::string("holds no object that can be read: ") + outcome.error);
    return tree.root();
  }

  simdjson::simdjson_result<ondemand::document> open(std::string_view padded) {
    return parser.iterate(padded.data(), padded.size(), padded.size() + json_padding);
  }
};

ObjectReader::ObjectReader() : impl_(std::make_unique<Impl>()) {}
ObjectReader::~ObjectReader() = default;
ObjectReader::ObjectReader(ObjectReader&&) noexcept = default;
ObjectReader& ObjectReader::operator=(ObjectReader&&) noexcept = default;

Result<ObjectReader::Event> ObjectReader::event(std::string_view padded) {
  ondemand::document document;
  ondemand::object envelope;
  if (auto error = impl_->open(padded).get(document)) return no_json(error);
  if (auto error = document.get_object().get(envelope)) return no_json(error);
  Event event;
  std::string_view object;
  for (auto member : envelope) {
    std::string_view key;
    if (auto error = member.unescaped_key().get(key)) return no_json(error);
    ondemand::value value;
    if (auto error = member.value().get(value)) return no_json(error);
    if (key == "type") {
      if (auto error = value.get_string().get(event.type)) return no_json(error);
    } else if (key == "object") {
      ondemand::object inner;
      if (auto error = value.get_object().get(inner)) return no_json(error);
      if (auto error = inner.raw_json().get(object)) return no_json(error);
    }
  }
  if (event.type.empty()) return without("`type`");
  if (object.empty()) return without("`object`");
  auto read = impl_->read(object);
  if (!read) return tl::unexpected(read.error());
  event.object = *read;
  return event;
}

Result<ObjectReader::ListHead> ObjectReader::list(std::string_view padded, const std::function<void(Value)>& take) {
  ondemand::document document;
  ondemand::object envelope;
  if (auto error = impl_->open(padded).get(document)) return no_json(error);
  if (auto error = document.get_object().get(envelope)) return no_json(error);
  ListHead head;
  bool has_items = false;
  for (auto member : envelope) {
    std::string_view key;
    if (auto error = member.unescaped_key().get(key)) return no_json(error);
    ondemand::value value;
    if (auto error = member.value().get(value)) return no_json(error);
    if (key == "metadata") {
      ondemand::object metadata;
      std::string_view raw;
      if (auto error = value.get_object().get(metadata)) return no_json(error);
      if (auto error = metadata.raw_json().get(raw)) return no_json(error);
      const auto read = impl_->read(raw);
      if (!read) return tl::unexpected(read.error());
      head.version = (*read)["resourceVersion"].text();
      head.next = (*read)["continue"].text();
    } else if (key == "items") {
      has_items = true;
      ondemand::json_type type{};
      if (auto error = value.type().get(type)) return no_json(error);
      if (type == ondemand::json_type::null) continue;  // Go's empty slice
      ondemand::array items;
      if (auto error = value.get_array().get(items)) return no_json(error);
      for (auto item : items) {
        ondemand::object object;
        std::string_view raw;
        if (auto error = item.get_object().get(object)) return no_json(error);
        if (auto error = object.raw_json().get(raw)) return no_json(error);
        const auto read = impl_->read(raw);
        if (!read) return tl::unexpected(read.error());
        take(*read);
      }
    }
  }
  if (!has_items) return without("`items`");
  return head;
}

Result<Value> ObjectReader::object(std::string_view padded) { return impl_->read(padded); }

std::string padded_copy(std::string_view text) {
  std::string copy;
  copy.reserve(text.size() + json_padding);
  copy = text;
  copy.append(json_padding, ' ');
  return copy;
}

std::string_view pad(std::string& text) {
  const std::size_t size = text.size();
  text.append(json_padding, ' ');
  return {text.data(), size};
}

std::string_view metadata_text(Value object, std::string_view field) { return object["metadata"][field].text(); }

}  // namespace portcullis::kube
