#include "zstd_frames.h"

#define ZSTD_STATIC_LINKING_ONLY  // for ZSTD_WINDOWLOG_MAX
#include <zstd.h>

#include <algorithm>
#include <bit>
#include <new>

#include "base/error.h"

namespace finedelta::bench {

namespace {

ZSTD_CCtx* encoder(void* context) { return static_cast<ZSTD_CCtx*>(context); }
ZSTD_DCtx* decoder(void* context) { return static_cast<ZSTD_DCtx*>(context); }

// Nothing but a lack of memory makes these calls fail.
size_t require(size_t code) {
  if (ZSTD_isError(code)) throw std::bad_alloc();
  return code;
}

// As the zstd program chooses it for --patch-from: over the longer of the two.
int window_log(size_t data, size_t prefix) {
  return std::clamp(static_cast<int>(std::bit_width(std::max(data, prefix))), 10,
                    ZSTD_WINDOWLOG_MAX);
}

}  // namespace

void ZstdFrames::Free::operator()(void* context) const { ZSTD_freeCCtx(encoder(context)); }
void ZstdFrames::FreeDecoder::operator()(void* context) const { ZSTD_freeDCtx(decoder(context)); }

ZstdFrames::ZstdFrames() : encoder_(ZSTD_createCCtx()), decoder_(ZSTD_createDCtx()) {
  if (!encoder_ || !decoder_) throw std::bad_alloc();
  require(ZSTD_DCtx_setParameter(decoder(decoder_.get()), ZSTD_d_windowLogMax, ZSTD_WINDOWLOG_MAX));
}

void ZstdFrames::append(Bytes data, int level, Sink& out) { append_patch(data, {}, level, out); }

Status ZstdFrames::read(ByteReader& reader, MutableBytes out) {
  return read_patch(reader, {}, out);
}

void ZstdFrames::append_patch(Bytes data, Bytes prefix, int level, Sink& out) {
  ZSTD_CCtx* const context = encoder(encoder_.get());
  require(ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters));
  require(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level));
  if (!prefix.empty()) {
    const int log = window_log(data.size(), prefix.size());
    require(ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, log));
    require(ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching, 1));
    require(ZSTD_CCtx_refPrefix(context, prefix.data(), prefix.size()));
  }
  const size_t bound = ZSTD_compressBound(data.size());
  const MutableBytes room = out.reserve(sizeof(uint64_t) + bound);
  const size_t size = require(
      ZSTD_compress2(context, room.data() + sizeof(uint64_t), bound, data.data(), data.size()));
  store(room.data(), uint64_t{size});
  out.commit(sizeof(uint64_t) + size);
}

Status ZstdFrames::read_patch(ByteReader& reader, Bytes prefix, MutableBytes out) {
  const Bytes frame = reader.bytes(reader.u64());
  ZSTD_DCtx* const context = decoder(decoder_.get());
  require(ZSTD_DCtx_refPrefix(context, prefix.data(), prefix.size()));
  const size_t size =
      ZSTD_decompressDCtx(context, out.data(), out.size(), frame.data(), frame.size());
  if (!reader.ok() || ZSTD_isError(size) || size != out.size()) {
    return fail(ErrorCode::kDamaged, "a zstd frame is damaged");
  }
  return {};
}

}  // namespace finedelta::bench
