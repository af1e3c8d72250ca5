// Aligned columns of text.
#ifndef FINEDELTA_CLI_RENDER_TABLE_H_
#define FINEDELTA_CLI_RENDER_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace finedelta::cli {

enum class Align : uint8_t { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

// Rows below a line of titles; every column is as wide as its widest cell.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell a column; what a cell holds is escaped.
  void add(std::vector<std::string> cells);

  // Lines that end in '\n', without spaces at their ends.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace finedelta::cli

#endif  // FINEDELTA_CLI_RENDER_TABLE_H_
