// The inside of an ArchiveReader, which `extract` shares.
#ifndef FINEDELTA_ENGINE_READER_STATE_H_
#define FINEDELTA_ENGINE_READER_STATE_H_

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string_view>
#include <vector>

#include "archive/archive.h"
#include "engine/base_set.h"
#include "engine/decode.h"
#include "engine/resources.h"
#include "engine/selection.h"
#include "finedelta/archive_reader.h"

namespace finedelta {

struct ArchiveReader::State {
  State(archive::Archive opened, const Options& given);

  // Makes sure that a tensor's base tensors are at hand. Any thread.
  Status require_bases(const archive::Tensor& tensor);

  // Where the archive and all opened bases are. Any thread.
  std::vector<std::string> inputs();

  // kUsage when the range leaves the tensor.
  [[nodiscard]] Status check_range(const TensorRead& read) const;

  // Decodes chunk `number` of a tensor into `value`, which takes its size, and passes on what of it
  // lies in the byte range `first` to `end` of the tensor: `use(offset from first, bytes)`.
  Status read_chunk(Decoder& decoder, const archive::Tensor& tensor, uint64_t number,
                    uint64_t first, uint64_t end, std::vector<std::byte>& value,
                    const std::function<Status(uint64_t offset, Bytes bytes)>& use) const;

  // Decodes chunk `number` of a read's tensor and puts what was asked for where it goes, through
  // `value` if that is not all of it.
  Status fill_chunk(Decoder& decoder, const TensorRead& read, uint64_t number,
                    std::vector<std::byte>& value, ProgressMeter& progress) const;

  // All reads, their chunks in parallel.
  Status read(std::span<const TensorRead> reads, unsigned threads,
              const ProgressCallback& callback);

  // Writes a selection to `out` from `offset` on, in parallel: one decoder for each thread.
  Status write_selection(const Selection& selection, const OutputFile& out, uint64_t offset,
                         std::vector<Decoder>& decoders, ProgressMeter& progress) const;

  // A decoder that no other thread uses, until it is given back.
  std::unique_ptr<Decoder> take_decoder();
  void give_back(std::unique_ptr<Decoder> decoder);

  Options options;
  archive::Archive archive;
  std::vector<const archive::Tensor*> tensors;
  std::map<std::string_view, size_t> places;  // by name, the first of that name
  ArchiveSummary summary;
  std::unique_ptr<BaseSet> bases;

 private:
  std::mutex mutex_;
  std::set<uint32_t> required_;
  std::vector<std::unique_ptr<Decoder>> decoders_;
};

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_READER_STATE_H_
