// Random access to the tensors of an archive.
#ifndef FINEDELTA_ARCHIVE_READER_H_
#define FINEDELTA_ARCHIVE_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "finedelta/inspect.h"
#include "finedelta/options.h"
#include "finedelta/result.h"

namespace finedelta {

struct ExtractReport {
  uint64_t tensors = 0;
  uint64_t bytes = 0;               // of the tensors written
  uint64_t archive_bytes_read = 0;  // header, index and chunks
  uint64_t base_bytes_read = 0;     // of tensors; what finds and checks the base is left out
  bool lossy = false;  // a tensor is not what was packed: finedelta/inspect.h has the errors
};

// Bytes of a tensor, and where they go. No two of a call may overlap there.
struct TensorRead {
  size_t tensor = 0;   // index into ArchiveReader::tensors
  uint64_t first = 0;  // byte of the tensor
  std::span<std::byte> to;
};

// An open archive. Reading touches the index, the chunks that overlap what is asked for and the
// same range of the base, nothing else; every chunk that is read is checked.
// Const members may be called from several threads at once.
class ArchiveReader {
 public:
  // `bases` as for `unpack`. A base's tensor is looked for when it is first needed, so an archive
  // can be opened without its bases.
  static Result<ArchiveReader> open(const std::string& archive,
                                    const std::vector<std::string>& bases = {},
                                    const ReadOptions& options = {});
  ArchiveReader(ArchiveReader&&) noexcept;
  ArchiveReader& operator=(ArchiveReader&&) noexcept;
  ~ArchiveReader();

  // As `inspect` tells, but without the ranks.
  [[nodiscard]] const ArchiveSummary& summary() const;

  // Those of the summary, in order of the archive: shards by path, tensors by their place in the
  // shard.
  [[nodiscard]] const std::vector<TensorSummary>& tensors() const;

  // Index of the tensor called `name`; where several shards have one, the first.
  [[nodiscard]] std::optional<size_t> find(std::string_view name) const;

  // Fills `to` with the bytes of a tensor from byte `first` on. kUsage when the range leaves the
  // tensor; kWrongBase, kDamaged, kFailure.
  Status read(size_t tensor, uint64_t first, std::span<std::byte> to) const;

  // Several reads at once, in parallel and with progress, as the options say that the reader was
  // opened with. On an error, what was to be filled holds anything.
  Status read(std::span<const TensorRead> reads) const;

  // Writes parts of tensors to a new safetensors file. A selection is "NAME" or
  // "NAME[START:STOP]": rows START (default 0) to STOP (excluded; default all) of the first
  // dimension. A tensor whose whole name looks like a selection is preferred. kUsage for an unknown
  // name, a bad range, a tensor selected twice, or an `output` that exists and is not to be
  // replaced (`force`). Other errors as for `read`.
  Result<ExtractReport> extract(const std::vector<std::string>& selections,
                                const std::string& output, bool force = false) const;

 private:
  struct State;
  explicit ArchiveReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct ExtractOptions : ReadOptions {
  bool force = false;  // replace an existing output
};

// Opens `archive` and extracts in one call.
Result<ExtractReport> extract(const std::vector<std::string>& bases, const std::string& archive,
                              const std::vector<std::string>& selections, const std::string& output,
                              const ExtractOptions& options = {});

}  // namespace finedelta

#endif  // FINEDELTA_ARCHIVE_READER_H_
