// Reads the input as a header: 8 bytes that say how much data there is, then the JSON. What is
// accepted must be sound and survive a round trip; what is refused must come with a message that
// is fit for a terminal.
#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/utf8.h"
#include "check.h"
#include "safetensors/header.h"

namespace {

using namespace finedelta;
using safetensors::Header;
using safetensors::Tensor;

void check_refusal(const Error& error) {
  FUZZ_CHECK(error.code == ErrorCode::kDamaged);
  FUZZ_CHECK(is_utf8(error.message));
  FUZZ_CHECK(std::ranges::none_of(error.message, [](char c) { return c >= 0 && c < 0x20; }));
  FUZZ_CHECK(error.message.size() < 4096);
}

void check_tensors(const Header& header, uint64_t data_size) {
  std::set<std::string_view> names;
  uint64_t covered = 0;
  for (const Tensor& tensor : header.tensors) {
    FUZZ_CHECK(names.insert(tensor.name).second);
    FUZZ_CHECK(is_utf8(tensor.name));
    FUZZ_CHECK(tensor.shape.size() <= safetensors::kLargestRank);
    FUZZ_CHECK(tensor.begin == covered);
    FUZZ_CHECK(tensor.end >= tensor.begin);
    FUZZ_CHECK(safetensors::tensor_bytes(tensor.dtype, tensor.shape) == tensor.end - tensor.begin);
    covered = tensor.end;
  }
  FUZZ_CHECK(covered == data_size);
}

void check_round_trip(const Header& header, uint64_t data_size) {
  const std::string canonical = safetensors::canonical_header(header.metadata, header.tensors);
  const Result<Header> again = safetensors::parse_header(canonical, data_size, "canonical");
  FUZZ_CHECK(again.has_value());
  FUZZ_CHECK(again->metadata == header.metadata);
  FUZZ_CHECK(again->tensors == header.tensors);
}

void check(Bytes input) {
  if (input.size() < sizeof(uint64_t)) return;
  const auto data_size = load<uint64_t>(input.data());
  const std::string json(as_text(input.subspan(sizeof data_size)));
  const Result<Header> header = safetensors::parse_header(json, data_size, "input");
  if (!header.has_value()) return check_refusal(header.error());
  FUZZ_CHECK(header->json == json);
  check_tensors(*header, data_size);
  check_round_trip(*header, data_size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  check(std::as_bytes(std::span(data, size)));
  return 0;
}
