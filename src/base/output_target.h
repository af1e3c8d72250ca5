// Where an output shall appear: found, and refused where nothing may be written or replaced.
#ifndef FINEDELTA_BASE_OUTPUT_TARGET_H_
#define FINEDELTA_BASE_OUTPUT_TARGET_H_

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/file.h"
#include "finedelta/result.h"

namespace finedelta {

enum class OutputKind : uint8_t { kFile, kDirectory };

// A name in an open directory. Going through the open directory keeps the target the same when the
// process changes its current directory or a parent is renamed.
struct OutputTarget {
  std::string shown;      // as the caller named it, for messages
  std::string directory;  // the parent: absolute, symbolic links resolved
  std::string name;       // in the parent; never empty, "." or ".."
  Descriptor parent;
};

// Finds the parent of `target`. Slashes at the end do not matter; a last part "." or ".." is
// resolved. kUsage when the parent can't be opened, or for "/" and an empty name.
Result<OutputTarget> resolve_target(const std::string& target);

// Whether something is there that `replace` allows to replace. kUsage when
// - something is there and `replace` is false;
// - it is of the wrong kind: a directory for a file; for a directory, anything else. A symbolic
//   link is replaced itself by a file, never what it leads to; a directory never replaces a link;
// - it is a device, pipe or socket (or a link to one), a mount point, or a directory that holds the
//   current directory or the home directory.
Result<bool> check_target(const OutputTarget& target, OutputKind kind, bool replace);

// The kUsage of check_target when `replace` is false.
std::unexpected<Error> fail_exists(const OutputTarget& target);

// As fail_errno, but kUsage where the caller asked for what can't be reached or written: EACCES,
// EPERM, EROFS, ENOTDIR, ELOOP and ENAMETOOLONG.
std::unexpected<Error> fail_unreachable(int error_number, std::string_view action,
                                        std::string_view path);

// Whether `inner` is `outer` or lies below it, by its name or with symbolic links resolved;
// compared by identity, so that another mount or a hard link of the same file counts as well.
// `inner` need not exist, but its parent must (kUsage). An `outer` that does not exist contains
// nothing.
Result<bool> contains(const std::string& outer, const std::string& inner);

}  // namespace finedelta

#endif  // FINEDELTA_BASE_OUTPUT_TARGET_H_
