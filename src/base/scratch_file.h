// A file without a name, for what does not fit into memory. It is gone when it is closed, however
// that comes.
#ifndef FINEDELTA_BASE_SCRATCH_FILE_H_
#define FINEDELTA_BASE_SCRATCH_FILE_H_

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/file.h"
#include "finedelta/result.h"

namespace finedelta {

// May be written to and read from by several threads at once.
class ScratchFile {
 public:
  // In an existing directory. kFailure, kNoSpace.
  static Result<std::unique_ptr<ScratchFile>> create(const std::string& directory);

  // Returns where the bytes are from now on, one part after another.
  Result<uint64_t> append(std::initializer_list<Bytes> parts);
  // Bytes that were appended.
  Status read(uint64_t offset, MutableBytes to) const;

 private:
  explicit ScratchFile(OutputFile file) : file_(std::move(file)) {}

  OutputFile file_;
  std::atomic<uint64_t> end_{0};
};

}  // namespace finedelta

#endif  // FINEDELTA_BASE_SCRATCH_FILE_H_
