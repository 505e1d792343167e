#include <bit>
#include <cstring>

#include "simd/classes/classes.hpp"

namespace astraweave::simd {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101u, kTops = 0x8080808080808080u;

std::uint64_t load(const char* text) noexcept {
  std::uint64_t word;
  std::memcpy(&word, text, 8);
  if constexpr (std::endian::native == std::endian::big) {
    std::uint64_t swapped = 0;
    for (int i = 0; i < 8; ++i) swapped = swapped << 8 | (word >> (8 * i) & 0xFF);
    word = swapped;
  }
  return word;
}

// The top bit of each byte that lies in first..last, of bytes below 0x80 all (no carry crosses).
std::uint64_t between(std::uint64_t bytes, unsigned first, unsigned last) noexcept {
  const std::uint64_t from = bytes + kOnes * (0x80 - first);  // top bit: byte >= first
  const std::uint64_t past = bytes + kOnes * (0x7F - last);   // top bit: byte > last
  return from & ~past & kTops;
}

// The eight top bits as one byte, the first byte's lowest.
std::uint64_t gathered(std::uint64_t tops) noexcept {
  return ((tops >> 7) * 0x0102040810204080u) >> 56;
}

}  // namespace

void byte_classes_scalar(const char* text, std::size_t n, ClassMasks masks) noexcept {
  for (std::size_t word = 0; word * 64 < n; ++word) {
    std::uint64_t letters = 0, capitals = 0, high = 0;
    for (std::size_t at = word * 64, shift = 0; shift < 64 && at < n; at += 8, shift += 8) {
      std::uint64_t bytes;
      if (at + 8 <= n) {
        bytes = load(text + at);
      } else {
        char rest[8] = {};
        std::memcpy(rest, text + at, n - at);
        bytes = load(rest);
      }
      const std::uint64_t not_ascii = bytes & kTops;
      const std::uint64_t low = bytes & ~kTops;
      const std::uint64_t folded = between(low | kOnes * 0x20, 'a', 'z') & ~not_ascii;
      letters |= gathered(folded) << shift;
      capitals |= gathered(between(low, 'A', 'Z') & ~not_ascii) << shift;
      high |= gathered(not_ascii) << shift;
    }
    masks.letters[word] = letters;
    masks.capitals[word] = capitals;
    masks.high[word] = high;
  }
}

}  // namespace astraweave::simd
