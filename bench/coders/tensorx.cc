// TensorX of TensorDex (SOSP 2026): XOR with the base, byte planes, zstd of level 1, in blocks of
// 2 MiB of a tensor.
#include <algorithm>
#include <vector>

#include "base/error.h"
#include "codecs.h"
#include "kernels/planes.h"
#include "zstd_frames.h"

namespace finedelta::bench {

namespace {

constexpr int kLevel = 1;
constexpr size_t kBlock = size_t{2} << 20;  // a multiple of every type's size

class Tensorx : public Codec {
 public:
  Tensorx() : planes_(kBlock) {}

  void encode(std::span<const Part> parts, Bytes base, Bytes value, Sink& stored) override {
    for (const Part& part : parts) {
      const unsigned unit = dtype_unit(part.dtype);
      for (size_t at = 0; at < part.size; at += kBlock) {
        const size_t count = std::min(kBlock, part.size - at) / unit;
        xor_split(unit, value.data() + part.begin + at, prediction(part, base, at), count,
                  planes_.data());
        for (size_t k = 0; k < unit; ++k) {
          zstd_.append(Bytes(planes_).subspan(k * count, count), kLevel, stored);
        }
      }
    }
  }

  Status decode(std::span<const Part> parts, Bytes base, Bytes stored,
                MutableBytes value) override {
    ByteReader reader(stored);
    for (const Part& part : parts) {
      const unsigned unit = dtype_unit(part.dtype);
      for (size_t at = 0; at < part.size; at += kBlock) {
        const size_t count = std::min(kBlock, part.size - at) / unit;
        for (size_t k = 0; k < unit; ++k) {
          FINEDELTA_CHECK(zstd_.read(reader, MutableBytes(planes_).subspan(k * count, count)));
        }
        xor_join(unit, planes_.data(), prediction(part, base, at), count,
                 value.data() + part.begin + at);
      }
    }
    return {};
  }

 private:
  static const std::byte* prediction(const Part& part, Bytes base, size_t at) {
    return part.base_begin ? base.data() + *part.base_begin + at : nullptr;
  }

  ZstdFrames zstd_;
  std::vector<std::byte> planes_;
};

}  // namespace

std::unique_ptr<Codec> make_tensorx() { return std::make_unique<Tensorx>(); }

}  // namespace finedelta::bench
