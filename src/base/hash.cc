#include "base/hash.h"

#include <openssl/evp.h>
#include <xxhash.h>

// After xxhash.h: chooses the widest instructions at run time. xxhash.h alone would give SSE2.
#ifdef FINEDELTA_XXHASH_DISPATCH
#include <xxh_x86dispatch.h>
#endif

#include <cstdlib>
#include <new>

namespace finedelta {

namespace {

Hash128 canonical(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  Hash128 out;
  static_assert(sizeof canonical.digest == sizeof out.bytes);
  std::memcpy(out.bytes.data(), canonical.digest, sizeof canonical.digest);
  return out;
}

XXH3_state_t* xxh3_state(void* state) { return static_cast<XXH3_state_t*>(state); }
EVP_MD_CTX* evp_context(void* context) { return static_cast<EVP_MD_CTX*>(context); }

// OpenSSL's digest calls fail only when memory is exhausted or the library is broken: neither
// can be handled here, and going on would mean a wrong hash.
void require(bool done) {
  if (!done) std::abort();
}

}  // namespace

uint64_t xxh3_64(Bytes data) { return XXH3_64bits(data.data(), data.size()); }

Hash128 xxh3_128(Bytes data) { return canonical(XXH3_128bits(data.data(), data.size())); }

std::string to_hex(Bytes bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    out += kDigits[std::to_integer<unsigned>(byte) >> 4];
    out += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return out;
}

Hasher128::Hasher128() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_128bits_reset(xxh3_state(state_.get()));
}

void Hasher128::Free::operator()(void* state) const { XXH3_freeState(xxh3_state(state)); }

void Hasher128::update(Bytes data) {
  XXH3_128bits_update(xxh3_state(state_.get()), data.data(), data.size());
}

Hash128 Hasher128::digest() const {
  return canonical(XXH3_128bits_digest(xxh3_state(state_.get())));
}

Sha256Hasher::Sha256Hasher() : context_(EVP_MD_CTX_new()) {
  if (!context_) throw std::bad_alloc();
  require(EVP_DigestInit_ex(evp_context(context_.get()), EVP_sha256(), nullptr) == 1);
}

void Sha256Hasher::Free::operator()(void* context) const { EVP_MD_CTX_free(evp_context(context)); }

void Sha256Hasher::update(Bytes data) {
  require(EVP_DigestUpdate(evp_context(context_.get()), data.data(), data.size()) == 1);
}

Sha256 Sha256Hasher::digest() {
  Sha256 out;
  unsigned size = 0;
  require(EVP_DigestFinal_ex(evp_context(context_.get()),
                             reinterpret_cast<unsigned char*>(out.bytes.data()), &size) == 1);
  require(size == out.bytes.size());
  return out;
}

}  // namespace finedelta
