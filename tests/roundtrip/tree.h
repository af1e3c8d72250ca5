// A directory's content in memory, to compare what was packed with what came out.
#ifndef FINEDELTA_TESTS_ROUNDTRIP_TREE_H_
#define FINEDELTA_TESTS_ROUNDTRIP_TREE_H_

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

namespace finedelta {

struct Node {
  bool directory = false;  // an empty one; others follow from the paths
  bool executable = false;
  std::string content;
  bool operator==(const Node&) const = default;
};

// By path relative to the top.
using Tree = std::map<std::string, Node>;

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Links count as the files that they lead to.
inline Tree read_tree(const std::filesystem::path& top) {
  Tree tree;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(top)) {
    const std::string path = entry.path().lexically_relative(top).string();
    if (entry.is_directory()) {
      if (std::filesystem::is_empty(entry.path())) tree[path].directory = true;
      continue;
    }
    const auto owner = entry.status().permissions() & std::filesystem::perms::owner_exec;
    tree[path] = {.executable = owner != std::filesystem::perms::none,
                  .content = read_file(entry.path())};
  }
  return tree;
}

// What is not the same in both, in a few words; empty where everything is.
inline std::string difference(const Tree& expected, const Tree& actual) {
  std::string text;
  for (const auto& [path, node] : expected) {
    const auto found = actual.find(path);
    if (found == actual.end()) {
      text += "missing: " + path + "; ";
    } else if (found->second.content != node.content) {
      const auto at = std::ranges::mismatch(node.content, found->second.content).in1;
      text += path + " differs at " + std::to_string(at - node.content.begin()) + "; ";
    } else if (found->second != node) {
      text += "other kind or mode: " + path + "; ";
    }
  }
  for (const auto& [path, node] : actual) {
    if (!expected.contains(path)) text += "unexpected: " + path + "; ";
  }
  return text;
}

}  // namespace finedelta

#endif  // FINEDELTA_TESTS_ROUNDTRIP_TREE_H_
