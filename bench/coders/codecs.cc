#include "codecs.h"

namespace finedelta::bench {

std::vector<CodecEntry> all_codecs() {
  std::vector<CodecEntry> codecs;
  const auto add = [&](std::string name, std::string what, auto make) -> CodecEntry& {
    return codecs.emplace_back(CodecEntry{std::move(name), std::move(what), false, true, make});
  };
  add("finedelta", "this library, as pack chooses", [] { return make_finedelta(nullptr); });
  for (const Coder& coder : coders()) {
    if (coder.lossy) continue;
    add("finedelta/" + std::string(coder.name), "this library, that coder wherever it fits",
        [&coder] { return make_finedelta(&coder); })
        .usual = false;
  }
  for (int level = kFastestLevel; level <= kSmallestLevel; ++level) {
    add("finedelta:" + std::to_string(level), "this library at that level, low rank searched for",
        [level] { return make_finedelta_at(level); })
        .usual = false;
  }
  add("bitx", "BitX (ZipLLM): XOR, two planes, zstd -3", make_bitx);
  add("tensorx", "TensorX (TensorDex): XOR, byte planes, zstd -1 in 2 MiB blocks", make_tensorx);
  add("fm-delta", "FM-Delta: ordered difference, adaptive range coder", make_fm_delta);
  add("zstd", "zstd -3 of the fine-tune alone", make_zstd);
  add("zstd-patch", "zstd -3 --patch-from the base", make_zstd_patch);
  add("memcpy", "a copy", [] { return make_copy(false); }).yardstick = true;
  add("memcpy+xxh3", "a copy whose XXH3-128 is checked", [] { return make_copy(true); }).yardstick =
      true;
  return codecs;
}

}  // namespace finedelta::bench
