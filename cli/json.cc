#include "json.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "render/tensor_text.h"
#include "session.h"

namespace finedelta::cli {

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string dump(Json object, const Session& session) {
  object["notes"] = session.notes();
  object["seconds"] = session.seconds();
  return dump(object);
}

Json number_json(const std::optional<double>& number) {
  return number && std::isfinite(*number) ? Json(*number) : Json(nullptr);
}

Json text_json(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json ratio_json(uint64_t original, uint64_t stored) {
  if (stored == 0) return nullptr;
  return static_cast<double>(original) / static_cast<double>(stored);
}

void add_bases(Json& object, const TensorBases& bases) {
  const auto add = [&](const std::string& prefix, std::string_view base_tensor, uint64_t base) {
    object[prefix + "base_tensor"] = base_tensor.empty() ? Json(nullptr) : Json(base_tensor);
    object[prefix + "base"] = base_tensor.empty() ? Json(nullptr) : Json(base);
  };
  add("", bases.base_tensor, bases.base);
  add("second_", bases.second_base_tensor, bases.second_base);
}

std::string error_json(int code, std::string_view message) {
  return dump(Json{{"error", {{"code", code}, {"message", message}}}});
}

}  // namespace finedelta::cli
