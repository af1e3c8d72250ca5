// FM-Delta: "Lossless Compression for Storing Massive Fine-tuned Foundation Models" (NeurIPS 2024).
// The difference of fine-tune and base as ordered integers; its sign and bit length are coded by an
// adaptive quasi-static model and a range coder, the bits below the highest one as they are, by the
// same coder. One model for each tensor. (The scheme of fpzip, with the base as the prediction.)
#include <algorithm>
#include <bit>
#include <cstdlib>
#include <type_traits>

#include "codecs.h"
#include "quasi_static_model.h"
#include "range_coder.h"

namespace finedelta::bench {

namespace {

// Magnitude m to m, or with a set sign bit to -m - 1. Its own inverse.
template <typename T>
T ordered(T bits) {
  constexpr int kSignBit = 8 * sizeof(T) - 1;
  const T negative = static_cast<T>(T{0} - static_cast<T>(bits >> kSignBit));
  return static_cast<T>(bits ^ static_cast<T>(negative >> 1));
}

template <typename T>
T element(const std::byte* data, size_t i) {
  return data == nullptr ? T{0} : load<T>(data + i * sizeof(T));
}

template <typename T>
inline constexpr int kBits = 8 * sizeof(T);

// Symbol kBits<T> is no difference, those above and below are positive and negative ones.
template <typename T>
inline constexpr unsigned kSymbols = 2 * kBits<T> + 1;

// Calls of the range coder for one element at most: a symbol, and 16 of the low bits at a time.
template <typename T>
inline constexpr size_t kMostCalls = 1 + (kBits<T> + 15) / 16;

template <typename T>
void encode_low_bits(T low, int count, RangeEncoder& coder) {
  for (; count > 0; count -= 16) {
    const int piece = std::min(count, 16);
    coder.encode(static_cast<uint32_t>(low & ((1u << piece) - 1)), 1, static_cast<unsigned>(piece));
    if constexpr (sizeof(T) > 2) low >>= 16;
  }
}

template <typename T>
T decode_low_bits(int count, RangeDecoder& coder) {
  T low = 0;
  for (int at = 0; at < count; at += 16) {
    const auto piece = static_cast<unsigned>(std::min(count - at, 16));
    const uint32_t bits = coder.target(piece);
    coder.consume(bits, 1, piece);
    low = static_cast<T>(low | static_cast<T>(static_cast<T>(bits) << at));
  }
  return low;
}

template <typename T>
std::byte* encode_part(const std::byte* value, const std::byte* base, size_t count,
                       std::byte* out) {
  RangeEncoder coder(out);
  QuasiStaticModel model(kSymbols<T>);
  for (size_t i = 0; i < count; ++i) {
    const T difference =
        static_cast<T>(ordered(element<T>(value, i)) - ordered(element<T>(base, i)));
    const bool negative = difference >> (kBits<T> - 1) != 0;
    const T magnitude = negative ? static_cast<T>(T{0} - difference) : difference;
    const auto length = static_cast<int>(std::bit_width(magnitude));
    const auto symbol = static_cast<unsigned>(kBits<T> + (negative ? -length : length));
    coder.encode(model.begin(symbol), model.size(symbol), kRangeTotalLog);
    model.update(symbol);
    if (length > 1) encode_low_bits<T>(magnitude, length - 1, coder);
  }
  return coder.finish();
}

template <typename T>
void decode_part(Bytes stored, const std::byte* base, size_t count, std::byte* value) {
  RangeDecoder coder(stored);
  QuasiStaticModel model(kSymbols<T>);
  for (size_t i = 0; i < count; ++i) {
    const unsigned symbol = model.find(coder.target(kRangeTotalLog));
    coder.consume(model.begin(symbol), model.size(symbol), kRangeTotalLog);
    model.update(symbol);
    const int length = static_cast<int>(symbol) - kBits<T>;
    const int low_bits = std::abs(length) - 1;
    T magnitude = 0;
    if (length != 0) magnitude = static_cast<T>(T{1} << low_bits);
    if (low_bits > 0) magnitude = static_cast<T>(magnitude | decode_low_bits<T>(low_bits, coder));
    const T difference = length < 0 ? static_cast<T>(T{0} - magnitude) : magnitude;
    store(value + i * sizeof(T),
          ordered(static_cast<T>(ordered(element<T>(base, i)) + difference)));
  }
}

// Calls `use` with a value of the unsigned type that is `unit` bytes wide.
template <typename Use>
void with_unit(unsigned unit, Use use) {
  switch (unit) {
    case 1:
      return use(uint8_t{});
    case 2:
      return use(uint16_t{});
    case 4:
      return use(uint32_t{});
    default:
      return use(uint64_t{});
  }
}

class FmDelta : public Codec {
 public:
  void encode(std::span<const Part> parts, Bytes base, Bytes value, Sink& stored) override {
    for (const Part& part : parts) {
      with_unit(dtype_unit(part.dtype), [&]<typename T>(T) {
        const size_t count = part.size / sizeof(T);
        std::byte* const room =
            stored.reserve(sizeof(uint64_t) + 4 * (count * kMostCalls<T> + 1)).data();
        std::byte* const begin = room + sizeof(uint64_t);
        const std::byte* const end =
            encode_part<T>(value.data() + part.begin, part.prediction(base).data(), count, begin);
        store(room, static_cast<uint64_t>(end - begin));
        stored.commit(static_cast<size_t>(end - room));
      });
    }
  }

  Status decode(std::span<const Part> parts, Bytes base, Bytes stored,
                MutableBytes value) override {
    ByteReader reader(stored);
    for (const Part& part : parts) {
      const Bytes code = reader.bytes(reader.u64());
      with_unit(dtype_unit(part.dtype), [&]<typename T>(T) {
        decode_part<T>(code, part.prediction(base).data(), part.size / sizeof(T),
                       value.data() + part.begin);
      });
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<Codec> make_fm_delta() { return std::make_unique<FmDelta>(); }

}  // namespace finedelta::bench
