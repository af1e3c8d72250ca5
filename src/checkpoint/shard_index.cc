#include "checkpoint/shard_index.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "checkpoint/directory.h"

namespace finedelta {

namespace {

using Json = nlohmann::json;

constexpr std::string_view kWeightMap = "weight_map";
constexpr size_t kDeepest = 64;  // levels of nesting; a real index has two

// Receives the index piece by piece. A `false` ends the parsing with `why` as the reason.
class IndexReader : public nlohmann::json_sax<Json> {
 public:
  IndexReader(std::string_view directory, const ShardTensors& shards)
      : directory_(directory), shards_(shards) {}

  [[nodiscard]] bool has_weight_map() const { return has_weight_map_; }
  [[nodiscard]] const std::string& why() const { return why_; }

  bool null() override { return other_value(); }
  bool boolean(bool) override { return other_value(); }
  bool number_integer(number_integer_t) override { return other_value(); }
  bool number_unsigned(number_unsigned_t) override { return other_value(); }
  bool number_float(number_float_t, const string_t&) override { return other_value(); }
  bool binary(binary_t&) override { return other_value(); }

  bool string(string_t& value) override {
    if (!in_weight_map()) return other_value();
    return check(key_, value);
  }

  bool start_object(std::size_t) override {
    if (depth_ == 1 && key_ == kWeightMap) {
      has_weight_map_ = true;
      weight_map_open_ = true;
    } else if (depth_ > 0 && !other_value()) {
      return false;
    }
    return go_deeper();
  }

  bool end_object() override {
    if (--depth_ == 1) weight_map_open_ = false;
    return true;
  }

  bool start_array(std::size_t) override { return other_value() && go_deeper(); }

  bool end_array() override {
    --depth_;
    return true;
  }

  bool key(string_t& value) override {
    key_ = std::move(value);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return stop(fmt::format("is not valid JSON at byte {}", position > 0 ? position - 1 : 0));
  }

 private:
  [[nodiscard]] bool in_weight_map() const { return weight_map_open_ && depth_ == 2; }

  bool stop(std::string why) {
    why_ = std::move(why);
    return false;
  }

  bool go_deeper() {
    if (++depth_ > kDeepest) return stop(fmt::format("is nested more than {} deep", kDeepest));
    return true;
  }

  // A value that is not the shard of a tensor: fine anywhere but in place of one.
  bool other_value() {
    if (depth_ == 0) return stop("is not a JSON object");
    if (depth_ == 1 && key_ == kWeightMap) return stop("has a \"weight_map\" that is no object");
    if (in_weight_map()) return stop(fmt::format("names no file for tensor {}", quote(key_)));
    return true;
  }

  bool check(std::string_view tensor, std::string_view shard) {
    if (!is_inside(shard)) {
      return stop(fmt::format("says that tensor {} is in {}, which is not below the index's folder",
                              quote(tensor), quote(shard)));
    }
    const auto found = shards_.find(join_path(directory_, shard));
    if (found == shards_.end()) {
      return stop(fmt::format("says that tensor {} is in {}, but there is no such shard",
                              quote(tensor), quote(shard)));
    }
    if (!found->second.contains(tensor)) {
      return stop(fmt::format("says that tensor {} is in {}, which does not hold it", quote(tensor),
                              quote(shard)));
    }
    return true;
  }

  // Relative, and without a part that is empty, "." or "..".
  static bool is_inside(std::string_view path) {
    while (true) {
      const size_t slash = path.find('/');
      const std::string_view part = path.substr(0, slash);
      if (part.empty() || part == "." || part == "..") return false;
      if (slash == std::string_view::npos) return true;
      path.remove_prefix(slash + 1);
    }
  }

  std::string_view directory_;
  const ShardTensors& shards_;
  size_t depth_ = 0;  // objects and arrays that are open
  bool weight_map_open_ = false;
  bool has_weight_map_ = false;
  std::string key_;  // the last one, at whatever depth
  std::string why_;
};

}  // namespace

bool is_shard_index(std::string_view path) { return path.ends_with(".safetensors.index.json"); }

Status check_shard_index(const std::string& file, std::string_view directory,
                         const ShardTensors& shards) {
  FINEDELTA_ASSIGN(const std::string text, read_small_file(file, kLargestShardIndex));
  IndexReader reader(directory, shards);
  // With a handler of our own the parser reports errors to it and throws nothing.
  if (!Json::sax_parse(text, &reader)) {
    return fail(ErrorCode::kDamaged, "the shard index {} {}", quote(file), reader.why());
  }
  if (!reader.has_weight_map()) {
    return fail(ErrorCode::kDamaged, "the shard index {} has no \"weight_map\"", quote(file));
  }
  return {};
}

}  // namespace finedelta
