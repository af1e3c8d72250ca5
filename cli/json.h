// The objects that --json prints (docs/json.md).
#ifndef FINEDELTA_CLI_JSON_H_
#define FINEDELTA_CLI_JSON_H_

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace finedelta::cli {

struct TensorBases;

class Session;

using Json = nlohmann::ordered_json;

// One line without its '\n'; bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string dump(const Json& json);

// `object` with what every long operation reports: "notes" and "seconds".
[[nodiscard]] std::string dump(Json object, const Session& session);

// The number or text; null where there is none, or none that is finite, and for an empty text.
[[nodiscard]] Json number_json(const std::optional<double>& number);
[[nodiscard]] Json text_json(const std::string& text);

// How many times smaller `stored` is than `original`, or any other quotient; null where `stored` is
// 0.
[[nodiscard]] Json ratio_json(uint64_t original, uint64_t stored);

// Adds "base_tensor" and "base" (an index), both null where there is no base tensor, and
// "second_base_tensor" and "second_base" likewise.
void add_bases(Json& object, const TensorBases& bases);

// {"error": {"code": CODE, "message": MESSAGE}}
[[nodiscard]] std::string error_json(int code, std::string_view message);

}  // namespace finedelta::cli

#endif  // FINEDELTA_CLI_JSON_H_
