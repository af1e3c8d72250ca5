#include "finedelta/unpack.h"

#include <optional>

#include "archive/archive.h"
#include "base/atomic_output.h"
#include "base/error.h"
#include "base/guard.h"
#include "base/threads.h"
#include "engine/base_set.h"
#include "engine/output_apart.h"
#include "engine/rebuild.h"
#include "engine/resources.h"

namespace finedelta {

namespace {

bool wanted(const archive::File& file, bool weights_only) {
  return !weights_only || file.kind == archive::FileKind::kShard;
}

uint64_t wanted_bytes(const archive::Index& index, bool weights_only) {
  uint64_t total = 0;
  for (const archive::File& file : index.files) {
    if (wanted(file, weights_only)) total += file.size;
  }
  return total;
}

Status check_sha256(const archive::Archive& archive, const archive::File& file,
                    Sha256Hasher& hasher) {
  if (hasher.digest() == archive.sha256(file)) return {};
  return fail(ErrorCode::kDamaged, "file {} does not have the SHA-256 that it was packed with",
              quote(file.path));
}

class Unpacking {
 public:
  Unpacking(const archive::Archive& archive, const BaseSet& bases, const UnpackOptions& options)
      : archive_(archive),
        options_(options),
        progress_(options.progress, wanted_bytes(archive.index, options.weights_only)),
        rebuilder_(archive, bases, options, progress_) {}

  Status to(const std::string& output) {
    return archive_.index.single_file ? to_file(output) : to_directory(output);
  }

 private:
  Status to_file(const std::string& output) {
    FINEDELTA_ASSIGN(AtomicFile target, AtomicFile::create(output, options_.force));
    const archive::File& file = archive_.index.files[0];
    FINEDELTA_CHECK(write(file, target.file()));
    if (file.executable) FINEDELTA_CHECK(target.file().make_executable());
    return target.publish();
  }

  Status to_directory(const std::string& output) {
    FINEDELTA_ASSIGN(AtomicDirectory target, AtomicDirectory::create(output, options_.force));
    for (const archive::File& file : archive_.index.files) {
      if (!wanted(file, options_.weights_only)) continue;
      if (file.kind == archive::FileKind::kEmptyDirectory) {
        FINEDELTA_CHECK(target.make_directories(file.path));
        continue;
      }
      FINEDELTA_ASSIGN(const OutputFile out, target.create_file(file.path, file.executable));
      FINEDELTA_CHECK(write(file, out));
      FINEDELTA_CHECK(out.sync());
    }
    return target.publish();
  }

  Status write(const archive::File& file, const OutputFile& out) {
    FINEDELTA_CHECK(out.allocate(file.size));
    std::optional<Sha256Hasher> hasher;
    if (options_.sha256) hasher.emplace();
    const Sink sink{.write = [&](uint64_t offset, Bytes bytes) -> Status {
                      FINEDELTA_CHECK(out.write(offset, bytes));
                      out.start_sync(offset, bytes.size());
                      return {};
                    },
                    .sha256 = hasher ? &*hasher : nullptr};
    FINEDELTA_CHECK(rebuilder_.rebuild(file, sink));
    return hasher ? check_sha256(archive_, file, *hasher) : Status();
  }

  const archive::Archive& archive_;
  const UnpackOptions& options_;
  ProgressMeter progress_;
  Rebuilder rebuilder_;
};

Status require_all(BaseSet& bases, bool weights_only) {
  FINEDELTA_CHECK(bases.require_all_tensors());
  return weights_only ? Status() : bases.require_all_files();
}

Status check_factors(const archive::Archive& archive) {
  std::vector<std::byte> stored;
  for (const archive::File& file : archive.index.files) {
    for (const archive::Tensor& tensor : file.tensors) {
      if (tensor.factors.size == 0) continue;
      FINEDELTA_CHECK(archive.read_factors(tensor.factors, stored));
    }
  }
  return {};
}

// Reads every chunk and compares its hash; header and index were checked when they were opened.
Status check_stored_bytes(const archive::Archive& archive, const Options& options) {
  FINEDELTA_CHECK(check_factors(archive));
  ProgressMeter progress(options.progress, archive.layout.payload_size + archive.layout.side_size);
  const unsigned workers = affordable_workers(options, decoder_bytes(archive.index), 0);
  std::vector<std::vector<std::byte>> stored(workers);
  for (const auto* chunks : {&archive.index.chunks, &archive.index.rest}) {
    FINEDELTA_CHECK(parallel_for(chunks->size(), workers, options.cancel,
                                 [&](uint64_t i, unsigned worker) -> Status {
                                   const archive::Chunk& chunk = (*chunks)[i];
                                   FINEDELTA_CHECK(archive.read_chunk(chunk, stored[worker]));
                                   progress.add(chunk.size);
                                   return {};
                                 }));
  }
  return {};
}

Status rebuild_and_compare(const archive::Archive& archive, const BaseSet& bases,
                           const Options& options) {
  ProgressMeter progress(options.progress, wanted_bytes(archive.index, false));
  Rebuilder rebuilder(archive, bases, options, progress);
  for (const archive::File& file : archive.index.files) {
    if (file.kind == archive::FileKind::kEmptyDirectory) continue;
    Sha256Hasher hasher;
    FINEDELTA_CHECK(rebuilder.rebuild(file, {.write = {}, .sha256 = &hasher}));
    FINEDELTA_CHECK(check_sha256(archive, file, hasher));
  }
  return {};
}

uint64_t count_files(const archive::Index& index, bool weights_only) {
  uint64_t files = 0;
  for (const archive::File& file : index.files) {
    if (wanted(file, weights_only) && file.kind != archive::FileKind::kEmptyDirectory) ++files;
  }
  return files;
}

}  // namespace

Result<UnpackReport> unpack(const std::vector<std::string>& bases, const std::string& archive,
                            const std::string& output, const UnpackOptions& options) {
  return guarded([&]() -> Result<UnpackReport> {
    FINEDELTA_CHECK(check_options(options));
    FINEDELTA_ASSIGN(archive::Archive opened, archive::Archive::open(archive, options.memory));
    FINEDELTA_CHECK(opened.set_layers(options.layers));
    FINEDELTA_ASSIGN(BaseSet base_set, BaseSet::open(opened, bases, options));
    FINEDELTA_CHECK(require_all(base_set, options.weights_only));
    std::vector<std::string> inputs = base_set.all_locations();
    inputs.push_back(archive);
    FINEDELTA_CHECK(check_output_apart(output, inputs));
    FINEDELTA_CHECK(Unpacking(opened, base_set, options).to(output));
    return UnpackReport{.files = count_files(opened.index, options.weights_only),
                        .bytes = wanted_bytes(opened.index, options.weights_only),
                        .sha256_checked = options.sha256,
                        .lossy = opened.is_lossy(),
                        .bases = base_set.locations()};
  });
}

Result<VerifyReport> verify(const std::string& archive, const std::vector<std::string>& bases,
                            const Options& options) {
  return guarded([&]() -> Result<VerifyReport> {
    FINEDELTA_CHECK(check_options(options));
    FINEDELTA_ASSIGN(archive::Archive opened, archive::Archive::open(archive, options.memory));
    VerifyReport report{.archive_bytes = opened.layout.file_size(),
                        .chunks = opened.index.chunks.size() + opened.index.rest.size(),
                        .lossy = opened.is_lossy()};
    if (bases.empty() && !opened.index.bases.empty()) {
      FINEDELTA_CHECK(check_stored_bytes(opened, options));
      return report;
    }
    FINEDELTA_ASSIGN(BaseSet base_set, BaseSet::open(opened, bases, options));
    FINEDELTA_CHECK(require_all(base_set, false));
    FINEDELTA_CHECK(rebuild_and_compare(opened, base_set, options));
    if (opened.index.progressive) {
      FINEDELTA_CHECK(opened.set_layers(1));
      FINEDELTA_CHECK(rebuild_and_compare(opened, base_set, options));
    }
    report.rebuilt = true;
    report.files = count_files(opened.index, false);
    report.bytes = wanted_bytes(opened.index, false);
    report.bases = base_set.locations();
    return report;
  });
}

}  // namespace finedelta
