// What stands before the bits of a chunk: spec.md, "Layout".
#ifndef FINEDELTA_CODER_WAVELET_HEADER_H_
#define FINEDELTA_CODER_WAVELET_HEADER_H_

#include "base/bytes.h"
#include "coder/wavelet/model.h"

namespace finedelta::wavelet {

struct Header {
  Model model;
  unsigned lanes = 0;      // of rANS: 0, 1, or a power of two from 4 to 128
  uint64_t bit_bytes = 0;  // length of the bits behind the header
};

void write_header(const Header& header, ByteWriter& out);

// A reader that is not ok afterwards has read something else.
Header read_header(ByteReader& in, FloatLayout layout);

}  // namespace finedelta::wavelet

#endif  // FINEDELTA_CODER_WAVELET_HEADER_H_
