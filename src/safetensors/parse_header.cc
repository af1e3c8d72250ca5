#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "safetensors/header.h"
#include "safetensors/json_scanner.h"

namespace finedelta::safetensors {

namespace {

constexpr std::string_view kMetadata = "__metadata__";

std::unexpected<JsonError> wrong(uint64_t offset, std::string what) {
  return std::unexpected(JsonError{offset, std::move(what)});
}

struct Name {
  std::string text;
  uint64_t offset;
  auto operator<=>(const Name&) const = default;
};

// Sorts rather than hashes: no choice of names can make it slow.
JsonStatus check_unique(std::vector<Name> names) {
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names, {}, &Name::text);
  if (twice == names.end()) return {};
  return wrong(std::next(twice)->offset,
               fmt::format("the name {} occurs twice", quote(twice->text)));
}

// A tensor, and where its data_offsets are in the JSON.
struct Entry {
  Tensor tensor;
  uint64_t offset = 0;
};

class HeaderParser {
 public:
  explicit HeaderParser(std::string_view json) : json_(json), scanner_(json) {}

  // Fills `header` except for its `json`.
  JsonStatus parse(uint64_t data_size, Header& header);

  // What was being read, for the message of an error.
  [[nodiscard]] std::string subject() const {
    return tensor_.has_value() ? fmt::format("tensor {}", quote(*tensor_)) : "header";
  }

 private:
  JsonStatus parse_member(const std::string& name);
  JsonStatus parse_metadata();
  JsonStatus parse_tensor();
  JsonStatus parse_field(std::string_view key, uint64_t offset, unsigned& seen, Entry& entry);
  JsonStatus parse_dtype(Entry& entry);
  JsonStatus parse_shape(Entry& entry);
  JsonStatus parse_offsets(Entry& entry);
  static JsonStatus check_size(const Entry& entry);
  JsonStatus check_padding() const;
  JsonStatus check_coverage(uint64_t data_size);

  // What a tensor's object consists of, each exactly once.
  struct Field {
    std::string_view key;
    unsigned bit;
    JsonStatus (HeaderParser::*parse)(Entry& entry);
  };
  static const std::array<Field, 3> kFields;

  std::string_view json_;
  JsonScanner scanner_;
  std::optional<std::string> tensor_;  // name of the tensor that is being read or checked
  std::string metadata_;
  std::vector<Entry> entries_;
};

constexpr std::array<HeaderParser::Field, 3> HeaderParser::kFields = {{
    {"dtype", 1, &HeaderParser::parse_dtype},
    {"shape", 2, &HeaderParser::parse_shape},
    {"data_offsets", 4, &HeaderParser::parse_offsets},
}};

JsonStatus HeaderParser::parse(uint64_t data_size, Header& header) {
  if (!json_.starts_with('{')) return wrong(0, "it does not begin with '{'");
  std::vector<Name> names;
  const JsonStatus parsed = scanner_.object([&](std::string name, uint64_t offset) {
    names.push_back({std::move(name), offset});
    return parse_member(names.back().text);
  });
  FINEDELTA_CHECK(parsed);
  FINEDELTA_CHECK(check_padding());
  FINEDELTA_CHECK(check_unique(std::move(names)));
  FINEDELTA_CHECK(check_coverage(data_size));
  header.metadata = std::move(metadata_);
  header.tensors.reserve(entries_.size());
  for (Entry& entry : entries_) header.tensors.push_back(std::move(entry.tensor));
  return {};
}

JsonStatus HeaderParser::parse_member(const std::string& name) {
  if (name == kMetadata) return parse_metadata();
  tensor_ = name;
  FINEDELTA_CHECK(parse_tensor());
  tensor_.reset();
  return {};
}

JsonStatus HeaderParser::parse_metadata() {
  const uint64_t begin = scanner_.next_offset();
  std::vector<Name> names;
  const JsonStatus parsed = scanner_.object([&](std::string name, uint64_t offset) -> JsonStatus {
    names.push_back({std::move(name), offset});
    FINEDELTA_CHECK(scanner_.string());
    return {};
  });
  FINEDELTA_CHECK(parsed);
  metadata_ = json_.substr(begin, scanner_.offset() - begin);
  return check_unique(std::move(names));
}

JsonStatus HeaderParser::parse_tensor() {
  Entry entry;
  entry.tensor.name = *tensor_;
  const uint64_t begin = scanner_.next_offset();
  unsigned seen = 0;
  const JsonStatus parsed = scanner_.object([&](const std::string& key, uint64_t offset) {
    return parse_field(key, offset, seen, entry);
  });
  FINEDELTA_CHECK(parsed);
  for (const Field& field : kFields) {
    if ((seen & field.bit) == 0) return wrong(begin, fmt::format("it has no {}", field.key));
  }
  FINEDELTA_CHECK(check_size(entry));
  entries_.push_back(std::move(entry));
  return {};
}

JsonStatus HeaderParser::parse_field(std::string_view key, uint64_t offset, unsigned& seen,
                                     Entry& entry) {
  const auto* const field = std::ranges::find(kFields, key, &Field::key);
  if (field == kFields.end()) {
    return wrong(offset, fmt::format("{} is not a field of a tensor", quote(key)));
  }
  if ((seen & field->bit) != 0) return wrong(offset, fmt::format("its {} occurs twice", key));
  seen |= field->bit;
  return (this->*field->parse)(entry);
}

JsonStatus HeaderParser::parse_dtype(Entry& entry) {
  const uint64_t begin = scanner_.next_offset();
  FINEDELTA_ASSIGN(const std::string name, scanner_.string());
  const std::optional<DType> dtype = dtype_from_name(name);
  if (!dtype) return wrong(begin, fmt::format("its dtype {} is unknown", quote(name)));
  entry.tensor.dtype = *dtype;
  return {};
}

JsonStatus HeaderParser::parse_shape(Entry& entry) {
  const uint64_t begin = scanner_.next_offset();
  return scanner_.array([&]() -> JsonStatus {
    FINEDELTA_ASSIGN(const uint64_t dimension, scanner_.number());
    entry.tensor.shape.push_back(dimension);
    if (entry.tensor.shape.size() <= kLargestRank) return {};
    return wrong(begin, fmt::format("its shape has more than {} dimensions", kLargestRank));
  });
}

JsonStatus HeaderParser::parse_offsets(Entry& entry) {
  entry.offset = scanner_.next_offset();
  std::array<uint64_t, 2> offsets{};
  size_t count = 0;
  const JsonStatus parsed = scanner_.array([&]() -> JsonStatus {
    if (count == offsets.size()) return wrong(entry.offset, "its data_offsets are more than two");
    FINEDELTA_ASSIGN(offsets[count], scanner_.number());
    ++count;
    return {};
  });
  FINEDELTA_CHECK(parsed);
  if (count < offsets.size()) return wrong(entry.offset, "its data_offsets are fewer than two");
  entry.tensor.begin = offsets[0];
  entry.tensor.end = offsets[1];
  return {};
}

JsonStatus HeaderParser::check_size(const Entry& entry) {
  const Tensor& tensor = entry.tensor;
  const std::optional<uint64_t> bytes = tensor_bytes(tensor.dtype, tensor.shape);
  if (bytes && tensor.begin <= tensor.end && tensor.end - tensor.begin == *bytes) return {};
  const std::string type = fmt::format("dtype {} and shape [{}]", dtype_name(tensor.dtype),
                                       fmt::join(tensor.shape, ", "));
  if (!bytes) {
    return wrong(entry.offset, fmt::format("its {} are not a possible number of bytes", type));
  }
  return wrong(entry.offset, fmt::format("its data_offsets [{}, {}] do not fit {} ({} bytes)",
                                         tensor.begin, tensor.end, type, *bytes));
}

JsonStatus HeaderParser::check_padding() const {
  const uint64_t end = std::min(json_.find_first_not_of(' ', scanner_.offset()), json_.size());
  if (end == json_.size()) return {};
  return wrong(end, "its JSON is followed by something other than spaces");
}

// Puts the entries in order of their data; they must cover it without gap or overlap.
JsonStatus HeaderParser::check_coverage(uint64_t data_size) {
  std::ranges::sort(entries_, {}, [](const Entry& entry) {
    return std::tuple(entry.tensor.begin, entry.tensor.end, entry.offset);
  });
  uint64_t covered = 0;
  for (const Entry& entry : entries_) {
    const Tensor& tensor = entry.tensor;
    tensor_ = tensor.name;
    if (tensor.begin != covered) {
      return wrong(entry.offset,
                   fmt::format("its data begins at {}, but the data before it ends at {}",
                               tensor.begin, covered));
    }
    if (tensor.end > data_size) {
      return wrong(entry.offset,
                   fmt::format("its data ends at {}, but the file has {} bytes of data", tensor.end,
                               data_size));
    }
    covered = tensor.end;
  }
  tensor_.reset();
  if (covered == data_size) return {};
  return wrong(
      0, fmt::format("its tensors take {} bytes, but {} bytes of data follow", covered, data_size));
}

}  // namespace

Result<Header> parse_header(std::string json, uint64_t data_size, std::string_view where) {
  Header header;
  HeaderParser parser(json);
  if (const JsonStatus parsed = parser.parse(data_size, header); !parsed.has_value()) {
    return fail(ErrorCode::kDamaged, "{}: {} at byte {}: {}", quote(where), parser.subject(),
                kLengthSize + parsed.error().offset, parsed.error().what);
  }
  header.json = std::move(json);
  return header;
}

}  // namespace finedelta::safetensors
