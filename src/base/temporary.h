// The locked temporary beside a target, and what killed runs left of theirs.
#ifndef FINEDELTA_BASE_TEMPORARY_H_
#define FINEDELTA_BASE_TEMPORARY_H_

#include <memory>
#include <string>

#include "base/file.h"
#include "base/output_target.h"
#include "finedelta/result.h"

namespace finedelta {

// A new file or directory `.NAME.finedelta-XXXXXXXX.tmp` (eight random hexadecimal digits; NAME
// shortened where the whole would be too long) in the directory of its target. An flock held on it
// tells other runs that it is in use; the system drops the lock when the process ends, however it
// ends. Where the file system has no locks, left-overs stay; where locks do not reach other hosts
// (some network file systems), only one host may write to a target at a time.
class Temporary {
 public:
  // Removes the left-overs of the same target, then creates. Left-overs that can't be removed are
  // let be. kUsage when the directory can't be written to.
  static Result<std::unique_ptr<Temporary>> create(OutputTarget target, OutputKind kind);

  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary();  // removes it unless it was renamed

  [[nodiscard]] const OutputTarget& target() const { return target_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& path() const { return path_; }  // absolute
  [[nodiscard]] int descriptor() const { return held_.get(); }

  void set_renamed() { renamed_ = true; }

 private:
  Temporary(OutputTarget target, std::string name, Descriptor held);

  OutputTarget target_;
  std::string name_;
  std::string path_;
  Descriptor held_;
  bool renamed_ = false;
};

// Takes the lock that tells other runs to keep away; false when another run holds it. True where
// the file system has no locks.
bool try_lock(int descriptor);

// Removes a file or a whole tree, as far as possible; false when something is left. Links are
// removed, not followed.
bool remove_tree(const std::string& path);

}  // namespace finedelta

#endif  // FINEDELTA_BASE_TEMPORARY_H_
