#include "archive/writer.h"

#include "archive/index.h"
#include "base/error.h"

namespace finedelta::archive {

Result<Writer> Writer::create(const std::string& path, bool replace) {
  FINEDELTA_ASSIGN(AtomicFile file, AtomicFile::create(path, replace));
  return Writer(std::move(file));
}

Status Writer::append(Bytes stored) {
  FINEDELTA_CHECK(file_.file().write(next_, stored));
  next_ += stored.size();
  sync_.written_up_to(file_.file(), next_);
  return {};
}

Status Writer::restart() {
  layout_ = {};
  return reopen_payload();
}

Status Writer::reopen_payload() {
  next_ = layout_.side_offset();
  sync_ = {};
  return file_.file().allocate(next_);
}

Result<uint64_t> Writer::finish(const Index& index, uint64_t memory) {
  layout_.side_size = next_ - layout_.side_offset();
  layout_.version = layout_.oldest_reader = index.version();
  const std::vector<std::byte> stored = encode_index(index);
  layout_.index_size = stored.size();
  FINEDELTA_CHECK(decode_index(stored, layout_, memory, file_.file().path()));
  FINEDELTA_CHECK(append(stored));
  FINEDELTA_CHECK(file_.file().write(0, as_bytes(encode_layout(layout_))));
  return layout_.file_size();
}

}  // namespace finedelta::archive
