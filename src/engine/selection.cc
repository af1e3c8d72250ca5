#include "engine/selection.h"

#include <charconv>
#include <optional>

#include "base/error.h"

namespace finedelta {

namespace {

struct Rows {
  std::string_view name;
  std::string_view start;  // empty: from the first
  std::string_view stop;   // empty: to the last
};

// Splits "NAME[START:STOP]"; nothing where `text` does not look like that.
std::optional<Rows> split(std::string_view text) {
  const size_t open = text.rfind('[');
  if (open == text.npos || open == 0 || text.back() != ']') return std::nullopt;
  const std::string_view range = text.substr(open + 1, text.size() - open - 2);
  const size_t colon = range.find(':');
  if (colon == range.npos) return std::nullopt;
  return Rows{.name = text.substr(0, open),
              .start = range.substr(0, colon),
              .stop = range.substr(colon + 1)};
}

std::optional<uint64_t> row_number(std::string_view text, uint64_t when_empty) {
  if (text.empty()) return when_empty;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<Selection> select_rows(std::string_view text, const Rows& rows, size_t place,
                              const TensorSummary& tensor) {
  if (tensor.shape.empty()) {
    return fail(ErrorCode::kUsage, "tensor {} is a scalar, which has no rows to select",
                quote(tensor.name));
  }
  const uint64_t count = tensor.shape[0];
  const auto start = row_number(rows.start, 0);
  const auto stop = row_number(rows.stop, count);
  if (!start || !stop || *start > *stop || *stop > count) {
    return fail(ErrorCode::kUsage, "{} is not a range of rows START:STOP within 0:{}", quote(text),
                count);
  }
  Selection selection{.tensor = place, .shape = tensor.shape};
  selection.shape[0] = *stop - *start;
  if (count == 0) return selection;
  if (tensor.bytes % count != 0) {
    return fail(ErrorCode::kUsage, "a row of tensor {} is not a whole number of bytes",
                quote(tensor.name));
  }
  selection.first = tensor.bytes / count * *start;
  selection.end = tensor.bytes / count * *stop;
  return selection;
}

}  // namespace

Result<Selection> parse_selection(std::string_view text, const ArchiveReader& reader) {
  if (const auto whole = reader.find(text)) {
    const TensorSummary& tensor = reader.tensors()[*whole];
    return Selection{.tensor = *whole, .shape = tensor.shape, .end = tensor.bytes};
  }
  const auto rows = split(text);
  const auto place = rows ? reader.find(rows->name) : std::nullopt;
  if (!place) {
    return fail(ErrorCode::kUsage, "the archive has no tensor {}", quote(rows ? rows->name : text));
  }
  return select_rows(text, *rows, *place, reader.tensors()[*place]);
}

}  // namespace finedelta
