#include "base/relative_path.h"

#include <algorithm>

#include "base/error.h"

namespace finedelta {

namespace {

Status check_part(std::string_view part, std::string_view path) {
  if (part.empty()) return fail(ErrorCode::kDamaged, "{} has an empty part", quote(path));
  if (part == ".") return fail(ErrorCode::kDamaged, "{} has a part '.'", quote(path));
  if (part == "..") {
    return fail(ErrorCode::kDamaged, "{} would be written outside the output directory",
                quote(path));
  }
  if (part.size() > kLongestPathPart) {
    return fail(ErrorCode::kDamaged, "{} has a part of {} bytes, more than the {} that it may have",
                quote(path), part.size(), kLongestPathPart);
  }
  return {};
}

}  // namespace

Status check_relative_path(std::string_view path) {
  if (path.empty()) return fail(ErrorCode::kDamaged, "a file has an empty path");
  if (path.size() > kLongestRelativePath) {
    return fail(ErrorCode::kDamaged, "{} has {} bytes, more than the {} that a path may have",
                quote(path), path.size(), kLongestRelativePath);
  }
  if (path.contains('\0')) {
    return fail(ErrorCode::kDamaged, "{} has a NUL byte in it", quote(path));
  }
  if (path.front() == '/') {
    return fail(ErrorCode::kDamaged, "{} would be written outside the output directory",
                quote(path));
  }
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    FINEDELTA_CHECK(check_part(path.substr(begin, end - begin), path));
    begin = end + 1;
  }
  return {};
}

}  // namespace finedelta
