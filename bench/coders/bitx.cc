// BitX of ZipLLM: "Efficient LLM Storage via Model-Aware Lossless Compression with Delta and
// Clustering" (arXiv:2505.06252). XOR with the base; of bfloat16, the exponents are one plane,
// signs with mantissas the other; each plane of each tensor is a zstd frame of level 3.
//
// The paper has no other types. Of float32, whose sign and exponent lie alike, the exponents are
// one plane too and the other three bytes one each; everything else is split by bytes.
#include <algorithm>
#include <vector>

#include "codecs.h"
#include "kernels/planes.h"
#include "zstd_frames.h"

namespace finedelta::bench {

namespace {

constexpr int kLevel = 3;

// Elements whose planes stay in the first cache between the two steps of a split or join.
constexpr size_t kBlock = 2048;

bool has_exponent_plane(DType dtype) { return dtype == DType::kBF16 || dtype == DType::kF32; }

// From the two high bytes of elements, seeeeeee and emmmmmmm, to eeeeeeee and smmmmmmm.
void group(const uint8_t* high, const uint8_t* low, size_t count, uint8_t* exponent,
           uint8_t* sign_mantissa) {
  for (size_t i = 0; i < count; ++i) {
    exponent[i] = static_cast<uint8_t>(high[i] << 1 | low[i] >> 7);
    sign_mantissa[i] = static_cast<uint8_t>((high[i] & 0x80) | (low[i] & 0x7F));
  }
}

void ungroup(const uint8_t* exponent, const uint8_t* sign_mantissa, size_t count, uint8_t* high,
             uint8_t* low) {
  for (size_t i = 0; i < count; ++i) {
    high[i] = static_cast<uint8_t>((sign_mantissa[i] & 0x80) | exponent[i] >> 1);
    low[i] = static_cast<uint8_t>(exponent[i] << 7 | (sign_mantissa[i] & 0x7F));
  }
}

uint8_t* octets(std::byte* bytes) { return reinterpret_cast<uint8_t*>(bytes); }

// The planes of a tensor, the lowest byte's first; where exponents have one, it is the last.
class BitxPlanes {
 public:
  BitxPlanes(DType dtype, size_t size, MutableBytes planes)
      : unit_(dtype_unit(dtype)),
        grouped_(has_exponent_plane(dtype)),
        count_(size / unit_),
        planes_(planes) {}

  void split(const std::byte* value, const std::byte* base) {
    for (size_t at = 0; at < count_; at += kBlock) {
      const size_t count = std::min(kBlock, count_ - at);
      xor_split(unit_, value + at * unit_, prediction(base, at), count, block_);
      const size_t plain = grouped_ ? unit_ - 2 : unit_;
      for (size_t k = 0; k < plain; ++k) std::copy_n(block_ + k * count, count, plane(k, at));
      if (!grouped_) continue;
      group(octets(block_ + (unit_ - 1) * count), octets(block_ + plain * count), count,
            octets(plane(unit_ - 1, at)), octets(plane(plain, at)));
    }
  }

  void join(std::byte* value, const std::byte* base) {
    for (size_t at = 0; at < count_; at += kBlock) {
      const size_t count = std::min(kBlock, count_ - at);
      const size_t plain = grouped_ ? unit_ - 2 : unit_;
      for (size_t k = 0; k < plain; ++k) std::copy_n(plane(k, at), count, block_ + k * count);
      if (grouped_) {
        ungroup(octets(plane(unit_ - 1, at)), octets(plane(plain, at)), count,
                octets(block_ + (unit_ - 1) * count), octets(block_ + plain * count));
      }
      xor_join(unit_, block_, prediction(base, at), count, value + at * unit_);
    }
  }

 private:
  std::byte* plane(size_t k, size_t at) { return planes_.data() + k * count_ + at; }
  const std::byte* prediction(const std::byte* base, size_t at) const {
    return base == nullptr ? nullptr : base + at * unit_;
  }

  unsigned unit_;
  bool grouped_;
  size_t count_;
  MutableBytes planes_;
  std::byte block_[kBlock * 8];
};

class Bitx : public Codec {
 public:
  void encode(std::span<const Part> parts, Bytes base, Bytes value, Sink& stored) override {
    for (const Part& part : parts) {
      planes_.resize(std::max(planes_.size(), part.size));
      BitxPlanes(part.dtype, part.size, planes_)
          .split(value.data() + part.begin, part.prediction(base).data());
      const size_t count = part.size / dtype_unit(part.dtype);
      for (size_t k = 0; k < dtype_unit(part.dtype); ++k) {
        zstd_.append(Bytes(planes_).subspan(k * count, count), kLevel, stored);
      }
    }
  }

  Status decode(std::span<const Part> parts, Bytes base, Bytes stored,
                MutableBytes value) override {
    ByteReader reader(stored);
    for (const Part& part : parts) {
      planes_.resize(std::max(planes_.size(), part.size));
      const size_t count = part.size / dtype_unit(part.dtype);
      for (size_t k = 0; k < dtype_unit(part.dtype); ++k) {
        const auto plane = MutableBytes(planes_).subspan(k * count, count);
        if (Status status = zstd_.read(reader, plane); !status) return status;
      }
      BitxPlanes(part.dtype, part.size, planes_)
          .join(value.data() + part.begin, part.prediction(base).data());
    }
    return {};
  }

 private:
  ZstdFrames zstd_;
  std::vector<std::byte> planes_;
};

}  // namespace

std::unique_ptr<Codec> make_bitx() { return std::make_unique<Bitx>(); }

}  // namespace finedelta::bench
