#include <algorithm>

#include "base/error.h"
#include "coder/planes/planes.h"
#include "kernels/planes.h"

namespace finedelta {

namespace {

Status decode_plane(ByteReader& reader, ZstdDecoder& decoder, MutableBytes plane) {
  switch (static_cast<PlaneMode>(reader.u8())) {
    case PlaneMode::kRaw: {
      const Bytes raw = reader.bytes(plane.size());
      if (reader.ok()) std::ranges::copy(raw, plane.begin());
      return {};
    }
    case PlaneMode::kConstant:
      std::ranges::fill(plane, static_cast<std::byte>(reader.u8()));
      return {};
    case PlaneMode::kZstd: {
      const Bytes frame = reader.bytes(reader.varint());
      if (!reader.ok()) return {};
      return decoder.decompress(frame, {}, plane);
    }
  }
  reader.reject("a plane has an unknown mode");
  return {};
}

}  // namespace

Status decode_planes(Bytes stored, DType dtype, Bytes prediction, MutableBytes value,
                     CoderScratch& scratch) {
  const unsigned unit = dtype_unit(dtype);
  const size_t units = value.size() / unit;
  scratch.planes.resize(value.size());
  ByteReader reader(stored);
  for (unsigned k = 0; k < unit; ++k) {
    FINEDELTA_CHECK(decode_plane(reader, scratch.decoder,
                                 MutableBytes(scratch.planes).subspan(k * units, units)));
  }
  if (reader.remaining() != 0) reader.reject("bytes are left behind the last plane");
  if (!reader.ok()) return fail(ErrorCode::kDamaged, "{}", reader.why());
  xor_join(unit, scratch.planes.data(), prediction.empty() ? nullptr : prediction.data(), units,
           value.data());
  return {};
}

}  // namespace finedelta
