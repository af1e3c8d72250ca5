// What a user has without a coder for weights: zstd on the fine-tune, zstd with the base as the
// content before it, and copies.
#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "codecs.h"
#include "zstd_frames.h"

namespace finedelta::bench {

namespace {

constexpr int kLevel = 3;

// The whole model is one frame, as the zstd program makes it of a file.
class Zstd : public Codec {
 public:
  explicit Zstd(bool patch) : patch_(patch) {}

  void encode(std::span<const Part>, Bytes base, Bytes value, Sink& stored) override {
    zstd_.append_patch(value, patch_ ? base : Bytes{}, kLevel, stored);
  }

  Status decode(std::span<const Part>, Bytes base, Bytes stored, MutableBytes value) override {
    ByteReader reader(stored);
    return zstd_.read_patch(reader, patch_ ? base : Bytes{}, value);
  }

 private:
  bool patch_;
  ZstdFrames zstd_;
};

// In pieces that stay in the cache between the copy and the hash.
class CopyCodec : public Codec {
 public:
  explicit CopyCodec(bool hash) : hash_(hash) {}

  void encode(std::span<const Part>, Bytes, Bytes value, Sink& stored) override {
    for (size_t at = 0; at < value.size(); at += kPiece) {
      const Bytes piece = value.subspan(at, std::min(kPiece, value.size() - at));
      stored.append(piece);
      stored.put(hash_ ? xxh3_128(piece) : Hash128{});
    }
  }

  Status decode(std::span<const Part>, Bytes, Bytes stored, MutableBytes value) override {
    ByteReader reader(stored);
    for (size_t at = 0; at < value.size(); at += kPiece) {
      const MutableBytes piece = value.subspan(at, std::min(kPiece, value.size() - at));
      const Bytes from = reader.bytes(piece.size());
      const Bytes hash = reader.bytes(sizeof(Hash128));
      if (!reader.ok()) return fail(ErrorCode::kDamaged, "{}", reader.why());
      std::ranges::copy(from, piece.begin());
      if (hash_ && xxh3_128(piece) != load<Hash128>(hash.data())) {
        return fail(ErrorCode::kDamaged, "the copy is another");
      }
    }
    return {};
  }

 private:
  static constexpr size_t kPiece = size_t{512} << 10;
  bool hash_;
};

}  // namespace

std::unique_ptr<Codec> make_zstd() { return std::make_unique<Zstd>(false); }
std::unique_ptr<Codec> make_zstd_patch() { return std::make_unique<Zstd>(true); }
std::unique_ptr<Codec> make_copy(bool hash) { return std::make_unique<CopyCodec>(hash); }

}  // namespace finedelta::bench
