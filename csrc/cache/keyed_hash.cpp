#include "cache/keyed_hash.hpp"

#include <cstring>

#if defined(_MSC_VER) && defined(_M_X64)
#include <intrin.h>
#endif

namespace astraweave::cache {
namespace {

// Both halves of the 128-bit product, one laid over the other.
inline std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
#if defined(__SIZEOF_INT128__)
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
#elif defined(_MSC_VER) && defined(_M_X64)
  std::uint64_t high = 0;
  const std::uint64_t low = _umul128(a, b, &high);
  return low ^ high;
#else
  const std::uint64_t a0 = a & 0xFFFFFFFF, a1 = a >> 32, b0 = b & 0xFFFFFFFF, b1 = b >> 32;
  const std::uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
  const std::uint64_t carried = a0 * b1 + (middle & 0xFFFFFFFF);
  return (a * b) ^ (a1 * b1 + (middle >> 32) + (carried >> 32));
#endif
}

inline std::uint64_t word(const char* from) noexcept {
  std::uint64_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// The finaliser of splitmix64 (Steele, Lea and Flood, 2014) makes the keys of one seed.
std::uint64_t next_key(std::uint64_t& state) noexcept {
  state += 0x9E3779B97F4A7C15;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
  return mixed ^ (mixed >> 31);
}

}  // namespace

KeyedHash::KeyedHash(std::uint64_t seed) noexcept {
  for (std::uint64_t& key : key_) key = next_key(seed);
}

std::uint64_t KeyedHash::operator()(std::string_view bytes) const noexcept {
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t lanes[4] = {key_[0], key_[1], key_[2], key_[3]};
  for (; left >= 64; at += 64, left -= 64) {
    for (std::size_t i = 0; i < 4; ++i) {
      lanes[i] = fold(word(at + 16 * i) ^ key_[4 + i], word(at + 16 * i + 8) ^ lanes[i]);
    }
  }
  for (int i = 0; left >= 16; ++i, at += 16, left -= 16) {
    lanes[i] = fold(word(at) ^ key_[4 + i], word(at + 8) ^ lanes[i]);
  }
  char tail[16] = {};
  if (left > 0) std::memcpy(tail, at, left);
  const std::uint64_t rest = fold(word(tail) ^ key_[7], word(tail + 8) ^ lanes[3]);
  const std::uint64_t both =
      fold(lanes[0] ^ key_[5], lanes[1] ^ key_[6]) + fold(lanes[2] ^ key_[4], rest ^ key_[0]);
  return fold(both ^ bytes.size(), key_[1] | 1);
}

}  // namespace astraweave::cache
