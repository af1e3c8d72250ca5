#include "json.h"

#include <nlohmann/json.hpp>

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

Json ratio_json(uint64_t original, uint64_t stored) {
  if (stored == 0) return nullptr;
  return static_cast<double>(original) / static_cast<double>(stored);
}

void add_base(Json& object, std::string_view base_tensor, uint64_t base) {
  object["base_tensor"] = base_tensor.empty() ? Json(nullptr) : Json(base_tensor);
  object["base"] = base_tensor.empty() ? Json(nullptr) : Json(base);
}

std::string error_json(int code, std::string_view message) {
  return dump(Json{{"error", {{"code", code}, {"message", message}}}});
}

}  // namespace finedelta::cli
