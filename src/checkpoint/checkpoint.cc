#include "checkpoint/checkpoint.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "base/error.h"
#include "checkpoint/directory.h"
#include "checkpoint/shard_index.h"

namespace finedelta {

namespace {

constexpr std::string_view kLfsPointer = "version https://git-lfs.github.com/spec/";

class Opener {
 public:
  explicit Opener(const CheckpointOptions& options) : options_(options) {}

  Result<Checkpoint> open_directory(const std::string& path) {
    FINEDELTA_ASSIGN(checkpoint_.location, real_path(path));
    const std::optional<Snapshot> snapshot = snapshot_around(checkpoint_.location);
    if (!snapshot) return read_directory(checkpoint_.location);
    // A folder within a snapshot is not the model that goes by the name.
    if (snapshot->path == checkpoint_.location) checkpoint_.model = snapshot->model;
    return read_directory(snapshot->storage);
  }

  Result<Checkpoint> open_snapshot(const Snapshot& snapshot) {
    checkpoint_.location = snapshot.path;
    checkpoint_.model = snapshot.model;
    return read_directory(snapshot.storage);
  }

  Result<Checkpoint> open_file(const std::string& path) {
    // The folder's real path, not the file's: a snapshot's files are links to blobs, whose names
    // say nothing.
    const std::string name(last_part(path));
    const std::string folder = path.substr(0, path.size() - name.size());
    FINEDELTA_ASSIGN(const std::string real_folder, real_path(folder.empty() ? "." : folder));
    checkpoint_.location = join_path(real_folder, name);
    checkpoint_.single_file = true;
    if (const auto snapshot = snapshot_around(checkpoint_.location)) {
      checkpoint_.model = snapshot->model;
    }
    FINEDELTA_ASSIGN(std::string source, real_path(checkpoint_.location));
    struct stat info{};
    if (stat(source.c_str(), &info) != 0) return fail_errno(errno, "examine", source);
    checkpoint_.entries.push_back({.path = name,
                                   .source = std::move(source),
                                   .kind = EntryKind::kShard,
                                   .executable = (info.st_mode & S_IXUSR) != 0,
                                   .size = static_cast<uint64_t>(info.st_size)});
    FINEDELTA_CHECK(open_shard(0));
    return std::move(checkpoint_);
  }

 private:
  Result<Checkpoint> read_directory(const std::string& storage) {
    FINEDELTA_ASSIGN(checkpoint_.entries,
                     walk_directory(checkpoint_.location, {.storage = storage,
                                                           .all = options_.all,
                                                           .lenient = options_.role == Role::kBase,
                                                           .note = options_.note}));
    for (size_t i = 0; i < checkpoint_.entries.size(); ++i) {
      if (checkpoint_.entries[i].kind == EntryKind::kShard) FINEDELTA_CHECK(open_shard(i));
    }
    FINEDELTA_CHECK(check_indexes());
    return std::move(checkpoint_);
  }

  // Where the user sees an entry; its source may be a blob with a meaningless name.
  [[nodiscard]] std::string shown_path(const Entry& entry) const {
    return checkpoint_.single_file ? checkpoint_.location
                                   : join_path(checkpoint_.location, entry.path);
  }

  // Adds the shard, or makes its entry a side file where that is allowed.
  Status open_shard(size_t index) {
    Entry& entry = checkpoint_.entries[index];
    FINEDELTA_ASSIGN(InputFile file, InputFile::open(shown_path(entry)));
    entry.size = file.size();  // the size that the header is judged by
    FINEDELTA_CHECK(refuse_lfs_pointer(file));
    FINEDELTA_CHECK(spend_header_limit(file));
    Result<safetensors::Header> header = safetensors::read_header(file);
    if (header) {
      checkpoint_.shards.push_back(
          {.entry = index, .file = std::move(file), .header = std::move(*header)});
      return {};
    }
    if (checkpoint_.single_file) return std::unexpected(std::move(header).error());
    FINEDELTA_CHECK(tolerate(std::move(header).error()));
    entry.kind = EntryKind::kSideFile;
    return {};
  }

  static Status refuse_lfs_pointer(const InputFile& file) {
    std::string start(std::min<uint64_t>(file.size(), kLfsPointer.size()), '\0');
    FINEDELTA_CHECK(file.read(0, std::as_writable_bytes(std::span(start.data(), start.size()))));
    if (start != kLfsPointer) return {};
    return fail(ErrorCode::kDamaged,
                "{} is a Git LFS pointer, not the file that it stands for; fetch the file with "
                "`git lfs pull`",
                quote(file.path()));
  }

  // Takes the size of the shard's header, as far as there can be one, from what is left.
  Status spend_header_limit(const InputFile& file) {
    std::array<std::byte, safetensors::kLengthSize> raw{};
    if (file.size() < raw.size()) return {};
    FINEDELTA_CHECK(file.read(0, raw));
    const auto length = load<uint64_t>(raw.data());
    const uint64_t longest = std::min(safetensors::kLargestHeader, file.size() - raw.size());
    if (length > longest) return {};
    if (length > options_.header_limit - headers_) {
      return fail(ErrorCode::kFailure,
                  "the headers of the shards up to {} take more than {} bytes of memory; raise "
                  "--memory",
                  quote(file.path()), options_.header_limit);
    }
    headers_ += length;
    return {};
  }

  Status check_indexes() {
    const auto is_index = [](const Entry& entry) { return is_shard_index(entry.path); };
    if (std::ranges::none_of(checkpoint_.entries, is_index)) return {};
    ShardTensors tensors;
    for (const Shard& shard : checkpoint_.shards) {
      auto& names = tensors[checkpoint_.entries[shard.entry].path];
      for (const safetensors::Tensor& tensor : shard.header.tensors) names.insert(tensor.name);
    }
    for (const Entry& entry : checkpoint_.entries) {
      if (entry.kind != EntryKind::kSideFile || !is_index(entry)) continue;
      FINEDELTA_CHECK(refuse_index_over_limit(entry));
      const std::string_view path = entry.path;
      const size_t slash = path.rfind('/');
      const std::string_view directory = slash == path.npos ? "" : path.substr(0, slash);
      if (Status sound = check_shard_index(shown_path(entry), directory, tensors); !sound) {
        FINEDELTA_CHECK(tolerate(std::move(sound).error()));
      }
    }
    return {};
  }

  // An index over kLargestShardIndex is another matter: it is damage.
  [[nodiscard]] Status refuse_index_over_limit(const Entry& entry) const {
    if (entry.size <= options_.header_limit || entry.size > kLargestShardIndex) return {};
    return fail(ErrorCode::kFailure,
                "the shard index {} takes more than {} bytes of memory; raise --memory",
                quote(shown_path(entry)), options_.header_limit);
  }

  // Damage in a fine-tune is kept, byte for byte: it becomes a note.
  Status tolerate(Error error) {
    if (options_.role == Role::kBase || error.code != ErrorCode::kDamaged) {
      return std::unexpected(std::move(error));
    }
    if (options_.note) options_.note(error.message + "; it is kept as a side file");
    return {};
  }

  const CheckpointOptions& options_;
  uint64_t headers_ = 0;  // bytes of header_limit that are spent
  Checkpoint checkpoint_;
};

}  // namespace

const Entry* Checkpoint::find(std::string_view path) const {
  const auto entry = std::ranges::lower_bound(entries, path, {}, &Entry::path);
  return entry != entries.end() && entry->path == path ? &*entry : nullptr;
}

uint64_t Checkpoint::file_bytes() const {
  uint64_t total = 0;
  for (const Entry& entry : entries) total += entry.size;
  return total;
}

uint64_t Checkpoint::header_bytes() const {
  uint64_t total = 0;
  for (const Shard& shard : shards) total += shard.header.json.size();
  return total;
}

Result<Checkpoint> open_checkpoint(std::string_view argument, const CheckpointOptions& options) {
  const std::string path(argument);
  const bool can_be_path = !path.empty() && !path.contains('\0');
  struct stat info{};
  if (can_be_path && stat(path.c_str(), &info) == 0) {
    return S_ISDIR(info.st_mode) ? Opener(options).open_directory(path)
                                 : Opener(options).open_file(path);
  }
  const int reason = can_be_path ? errno : ENOENT;
  // A dangling link is there, and so wins over a name.
  const bool is_missing = reason == ENOENT || reason == ENOTDIR || reason == ENAMETOOLONG;
  if (!is_missing || (can_be_path && lstat(path.c_str(), &info) == 0)) {
    return fail_errno(reason, "open", path);
  }
  FINEDELTA_ASSIGN(const Snapshot snapshot, find_snapshot(argument));
  return Opener(options).open_snapshot(snapshot);
}

}  // namespace finedelta
