// Creating files below an output directory under paths that come from an archive.
#ifndef FINEDELTA_BASE_OUTPUT_TREE_H_
#define FINEDELTA_BASE_OUTPUT_TREE_H_

#include <string>
#include <string_view>

#include "base/file.h"
#include "finedelta/result.h"

namespace finedelta {

// The directory that everything is created below.
struct OutputRoot {
  int descriptor;     // open; not owned
  std::string shown;  // its name in messages
};

// Both check the path (see relative_path.h) and follow no symbolic link; kDamaged when the path
// fails the check or collides with what was created before.

// Creates the directories that `relative` names, where they are not there yet; returns the last.
Result<Descriptor> make_directories_below(const OutputRoot& root, std::string_view relative);

// Creates a file that is not there yet, and the directories that it lies in.
Result<OutputFile> create_file_below(const OutputRoot& root, std::string_view relative,
                                     bool executable);

// Writes the entries of all directories at and below `path` to disk, so that they survive a crash;
// not the files.
Status sync_directories(const std::string& path);

// Writes the entries of one directory to disk, where the file system can do that for directories.
Status sync_directory(int descriptor, std::string_view shown);

}  // namespace finedelta

#endif  // FINEDELTA_BASE_OUTPUT_TREE_H_
