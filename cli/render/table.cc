#include "render/table.h"

#include <algorithm>
#include <utility>

#include "render/text.h"

namespace finedelta::cli {
namespace {

constexpr std::string_view kGap = "  ";

void append_cell(std::string& line, const std::string& cell, Align align, size_t width) {
  const std::string padding(width - text_width(cell), ' ');
  line += align == Align::kLeft ? cell + padding : padding + cell;
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = escaped(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::string> titles;
  std::vector<size_t> widths;
  for (size_t column = 0; column < columns_.size(); ++column) {
    titles.push_back(columns_[column].title);
    widths.push_back(text_width(columns_[column].title));
    for (const auto& row : rows_) {
      widths.back() = std::max(widths.back(), text_width(row[column]));
    }
  }
  std::string result;
  const auto append_row = [&](const std::vector<std::string>& row) {
    std::string line;
    for (size_t column = 0; column < row.size(); ++column) {
      if (column > 0) line += kGap;
      append_cell(line, row[column], columns_[column].align, widths[column]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    result += line + '\n';
  };
  append_row(titles);
  for (const auto& row : rows_) append_row(row);
  return result;
}

}  // namespace finedelta::cli
