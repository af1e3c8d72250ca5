#include "base/zstd.h"

#define ZSTD_STATIC_LINKING_ONLY  // for ZSTD_getFrameHeader; the library is linked statically
#include <zstd.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "base/error.h"

namespace finedelta {

namespace {

ZSTD_CCtx* encoder(void* context) { return static_cast<ZSTD_CCtx*>(context); }
ZSTD_DCtx* decoder(void* context) { return static_cast<ZSTD_DCtx*>(context); }

// Compression into a buffer of sufficient size fails only when memory is exhausted.
size_t require(size_t code) {
  if (ZSTD_isError(code)) throw std::bad_alloc();
  return code;
}

// Hash and chain tables of at most 2 MiB each, whatever the level would take: a prefix must not
// change how much memory a worker needs.
constexpr unsigned kLargestTableLog = 19;

// Those tables forget all but the last 512 Ki places, and a prefix is longer: zstd's matcher for
// long distances samples one place in 2^4 of the whole window, for 2 MiB more. Text of 3 MiB with
// 1 KB inserted in front is patched in 0.9 KB; without it in 1.1 MB.
constexpr unsigned kFarTableLog = 18;
constexpr unsigned kFarRateLog = 4;
constexpr unsigned kFarLeastMatch = 32;

void set_parameters(ZSTD_CCtx* context, int level, uint64_t size, uint64_t prefix) {
  const ZSTD_compressionParameters wanted = ZSTD_getCParams(level, size, prefix);
  const auto set = [&](ZSTD_cParameter parameter, unsigned value) {
    require(ZSTD_CCtx_setParameter(context, parameter, static_cast<int>(value)));
  };
  require(ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters));
  set(ZSTD_c_compressionLevel, static_cast<unsigned>(level));
  set(ZSTD_c_windowLog, std::min<unsigned>(wanted.windowLog, kZstdWindowLog));
  set(ZSTD_c_hashLog, std::min(wanted.hashLog, kLargestTableLog));
  set(ZSTD_c_chainLog, std::min(wanted.chainLog, kLargestTableLog));
  set(ZSTD_c_checksumFlag, 0);
  if (prefix == 0) return;
  set(ZSTD_c_enableLongDistanceMatching, ZSTD_ps_enable);
  set(ZSTD_c_ldmHashLog, kFarTableLog);
  set(ZSTD_c_ldmHashRateLog, kFarRateLog);
  set(ZSTD_c_ldmMinMatch, kFarLeastMatch);
}

// Even an id of 0, which zstd takes for none: bits 0 and 1 of the frame's descriptor.
bool has_dictionary_id(Bytes frame) { return (frame[4] & std::byte{3}) != std::byte{0}; }

}  // namespace

uint64_t zstd_bound(uint64_t size) { return ZSTD_compressBound(size); }

ZstdEncoder::ZstdEncoder() : context_(ZSTD_createCCtx()) {
  if (!context_) throw std::bad_alloc();
}

void ZstdEncoder::Free::operator()(void* context) const { ZSTD_freeCCtx(encoder(context)); }

uint64_t ZstdEncoder::compress_to(Bytes data, int level, Bytes prefix, MutableBytes out) {
  ZSTD_CCtx* const context = encoder(context_.get());
  set_parameters(context, level, data.size(), prefix.size());
  if (!prefix.empty()) require(ZSTD_CCtx_refPrefix(context, prefix.data(), prefix.size()));
  return require(ZSTD_compress2(context, out.data(), out.size(), data.data(), data.size()));
}

void ZstdEncoder::compress(Bytes data, int level, Bytes prefix, std::vector<std::byte>& out) {
  const size_t before = out.size();
  out.resize(before + zstd_bound(data.size()));
  out.resize(before + compress_to(data, level, prefix, std::span(out).subspan(before)));
}

uint64_t ZstdEncoder::compressed_size(Bytes data, int level) {
  trial_.resize(std::max(trial_.size(), zstd_bound(data.size())));
  return compress_to(data, level, {}, trial_);
}

ZstdDecoder::ZstdDecoder() : context_(ZSTD_createDCtx()) {
  if (!context_) throw std::bad_alloc();
}

void ZstdDecoder::Free::operator()(void* context) const { ZSTD_freeDCtx(decoder(context)); }

Status ZstdDecoder::decompress(Bytes frame, Bytes prefix, MutableBytes out) {
  const auto damaged = [](std::string_view why) { return fail(ErrorCode::kDamaged, "{}", why); };
  ZSTD_frameHeader header{};
  if (ZSTD_getFrameHeader(&header, frame.data(), frame.size()) != 0 ||
      header.frameType != ZSTD_frame || has_dictionary_id(frame)) {
    return damaged("a zstd frame does not begin as it must");
  }
  if (header.windowSize > uint64_t{1} << kZstdWindowLog) {
    return damaged("a zstd frame has a window over 8 MiB");
  }
  if (ZSTD_findFrameCompressedSize(frame.data(), frame.size()) != frame.size()) {
    return damaged("a zstd frame does not end where it must");
  }
  ZSTD_DCtx* const context = decoder(context_.get());
  require(ZSTD_DCtx_reset(context, ZSTD_reset_session_and_parameters));
  if (!prefix.empty()) require(ZSTD_DCtx_refPrefix(context, prefix.data(), prefix.size()));
  const size_t size =
      ZSTD_decompressDCtx(context, out.data(), out.size(), frame.data(), frame.size());
  if (ZSTD_isError(size) || size != out.size()) {
    return damaged("a zstd frame does not decompress to its promised length");
  }
  return {};
}

}  // namespace finedelta
