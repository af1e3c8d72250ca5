#include "engine/pack_side_files.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/threads.h"
#include "engine/encoded_chunk.h"
#include "side/side_codec.h"

namespace finedelta {

namespace {

// Text is small beside the weights and worth the time; large files are seldom text.
constexpr int kLevel = 9;
constexpr int kLargeLevel = 3;
constexpr uint64_t kLarge = uint64_t{32} << 20;

// One chunk, a prefix, stored bytes that wait, zstd's tables and its copy of the chunk.
constexpr uint64_t kWorkerBytes =
    (3 + kWaiting) * archive::kSideChunk + kLargestPrefix + (uint64_t{9} << 20);

struct SideWorker {
  ZstdEncoder encoder;
  std::vector<std::byte> value;
  std::vector<std::byte> prefix;
};

class SidePacker {
 public:
  SidePacker(const Inputs& inputs, PackPlan& plan, archive::Writer& writer, const Options& options,
             ProgressMeter& progress)
      : inputs_(inputs), plan_(plan), writer_(writer), options_(options), progress_(progress) {}

  Status run() {
    workers_.resize(affordable_workers(options_, kWorkerBytes, 0));
    FINEDELTA_CHECK(pack_bundle());
    for (size_t i = 0; i < plan_.index.files.size(); ++i) {
      const archive::File& file = plan_.index.files[i];
      if (file.kind != archive::FileKind::kStored && file.kind != archive::FileKind::kPatch) {
        continue;
      }
      FINEDELTA_CHECK(pack_file(file, inputs_.fine_tune.entries[i]));
    }
    return {};
  }

 private:
  // The embedded files are small, and so is the bundle unless there are very many of them: it is
  // put together chunk by chunk.
  Status pack_bundle() {
    SideWorker& worker = workers_[0];
    worker.value.clear();
    worker.prefix.clear();
    for (size_t i = 0; i < plan_.index.files.size(); ++i) {
      if (plan_.index.files[i].kind != archive::FileKind::kEmbedded) continue;
      FINEDELTA_ASSIGN(const std::string content,
                       read_entry(inputs_.fine_tune.entries[i], plan_.index.files[i].size));
      const Bytes bytes = as_bytes(content);
      worker.value.insert(worker.value.end(), bytes.begin(), bytes.end());
      progress_.add(bytes.size());
      if (worker.value.size() < archive::kSideChunk) continue;
      const std::vector<std::byte> rest(worker.value.begin() + archive::kSideChunk,
                                        worker.value.end());
      worker.value.resize(archive::kSideChunk);
      FINEDELTA_CHECK(commit(encode(worker, kLevel), {}));
      worker.value = rest;
    }
    return worker.value.empty() ? Status() : commit(encode(worker, kLevel), {});
  }

  static Result<std::string> read_entry(const Entry& entry, uint64_t size) {
    FINEDELTA_ASSIGN(std::string content, read_small_file(entry.source, size));
    if (content.size() == size) return content;
    return fail_changed(entry.source);
  }

  Status pack_file(const archive::File& file, const Entry& entry) {
    FINEDELTA_ASSIGN(const InputFile source, InputFile::open(entry.source));
    if (source.size() != file.size) return fail_changed(entry.source);
    std::optional<InputFile> older;
    if (file.kind == archive::FileKind::kPatch) {
      FINEDELTA_ASSIGN(older, open_base_file(file.base_file));
    }
    const auto prefix_of = [&](uint64_t number) {
      if (!older) return PrefixRange{};
      return prefix_range(number * archive::kSideChunk,
                          archive::side_chunk_bytes(file.size, number), older->size());
    };
    const int level = file.size > kLarge ? kLargeLevel : kLevel;
    FINEDELTA_CHECK(parallel_ordered(
        file.chunks, static_cast<unsigned>(workers_.size()), (1 + kWaiting) * workers_.size(),
        options_.cancel,
        [&](uint64_t number, unsigned w) -> Result<EncodedChunk> {
          SideWorker& worker = workers_[w];
          const PrefixRange range = prefix_of(number);
          worker.value.resize(archive::side_chunk_bytes(file.size, number));
          worker.prefix.resize(range.size);
          FINEDELTA_CHECK(source.read(number * archive::kSideChunk, worker.value));
          if (older) FINEDELTA_CHECK(older->read(range.offset, worker.prefix));
          progress_.add(worker.value.size());
          return encode(worker, level);
        },
        [&](uint64_t number, const EncodedChunk& chunk) {
          const PrefixRange range = prefix_of(number);
          return commit(chunk, {.offset = range.offset, .size = range.size});
        }));
    return source.check_unchanged();
  }

  Result<InputFile> open_base_file(uint32_t base_file) const {
    const archive::BaseFile& wanted = plan_.index.base_files[base_file];
    return InputFile::open(inputs_.bases[plan_.bases[wanted.base]].find(wanted.path)->source);
  }

  static EncodedChunk encode(SideWorker& worker, int level) {
    EncodedChunk chunk;
    const SideCoder coder =
        encode_side_chunk(worker.value, worker.prefix, level, worker.encoder, chunk.stored);
    chunk.seal(static_cast<uint8_t>(coder), worker.value);
    return chunk;
  }

  Status commit(const EncodedChunk& chunk, archive::Prefix prefix) {
    if (chunk.record.coder == static_cast<uint8_t>(SideCoder::kPatch)) {
      plan_.index.prefixes.emplace(plan_.index.chunks.size(), prefix);
    }
    return append_chunk(chunk, plan_.index, writer_);
  }

  const Inputs& inputs_;
  PackPlan& plan_;
  archive::Writer& writer_;
  const Options& options_;
  ProgressMeter& progress_;
  std::vector<SideWorker> workers_;
};

}  // namespace

Status pack_side_files(const Inputs& inputs, PackPlan& plan, archive::Writer& writer,
                       const Options& options, ProgressMeter& progress) {
  return SidePacker(inputs, plan, writer, options, progress).run();
}

}  // namespace finedelta
