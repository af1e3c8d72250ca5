// The hashes of the archive: XXH3 against accidents, SHA-256 against forgery.
#ifndef FINEDELTA_BASE_HASH_H_
#define FINEDELTA_BASE_HASH_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"

namespace finedelta {

// XXH3-128 in its canonical form: 16 bytes, big-endian, as the `xxhsum` program prints them.
struct Hash128 {
  std::array<std::byte, 16> bytes{};
  bool operator==(const Hash128&) const = default;
};

struct Sha256 {
  std::array<std::byte, 32> bytes{};
  bool operator==(const Sha256&) const = default;
};

// XXH3, seed 0 (the xxHash specification of Yann Collet, version 0.8).
[[nodiscard]] uint64_t xxh3_64(Bytes data);
[[nodiscard]] Hash128 xxh3_128(Bytes data);

// Lower-case hexadecimal digits, in order of the bytes.
[[nodiscard]] std::string to_hex(Bytes bytes);

// XXH3-128 of data that comes in pieces. Not thread-safe.
class Hasher128 {
 public:
  Hasher128();
  void update(Bytes data);
  [[nodiscard]] Hash128 digest() const;

 private:
  struct Free {
    void operator()(void* state) const;
  };
  std::unique_ptr<void, Free> state_;
};

// SHA-256 of data that comes in pieces. Not thread-safe.
class Sha256Hasher {
 public:
  Sha256Hasher();
  void update(Bytes data);
  [[nodiscard]] Sha256 digest();  // ends the hash: call it once

 private:
  struct Free {
    void operator()(void* context) const;
  };
  std::unique_ptr<void, Free> context_;
};

}  // namespace finedelta

#endif  // FINEDELTA_BASE_HASH_H_
