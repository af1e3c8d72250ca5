#include "archive/writer.h"

#include "archive/index.h"
#include "base/error.h"

namespace finedelta::archive {

namespace {

// Enough for the disk to work on, little enough that the last sync is short.
constexpr uint64_t kSyncStep = uint64_t{64} << 20;

}  // namespace

Result<Writer> Writer::create(const std::string& path, bool replace) {
  FINEDELTA_ASSIGN(AtomicFile file, AtomicFile::create(path, replace));
  return Writer(std::move(file));
}

Status Writer::append(Bytes stored) {
  FINEDELTA_CHECK(file_.file().write(next_, stored));
  next_ += stored.size();
  if (next_ - synced_ >= kSyncStep) {
    file_.file().start_sync(synced_, next_ - synced_);
    synced_ = next_;
  }
  return {};
}

Result<uint64_t> Writer::finish(const Index& index) {
  layout_.side_size = next_ - layout_.side_offset();
  const std::vector<std::byte> stored = encode_index(index);
  layout_.index_size = stored.size();
  FINEDELTA_CHECK(append(stored));
  FINEDELTA_CHECK(file_.file().write(0, as_bytes(encode_layout(layout_))));
  FINEDELTA_CHECK(file_.publish());
  return layout_.file_size();
}

}  // namespace finedelta::archive
