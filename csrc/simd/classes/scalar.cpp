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

void classify_bytes_scalar(const char* text, std::size_t n, ByteClasses* blocks) noexcept {
  for (std::size_t start = 0; start < n; start += 64) {
    ByteClasses block{};
    for (std::size_t at = start, shift = 0; shift < 64 && at < n; at += 8, shift += 8) {
      char rest[8] = {};
      std::memcpy(rest, text + at, at + 8 <= n ? 8 : n - at);
      const std::uint64_t bytes = load(rest);
      const std::uint64_t high = bytes & kTops, ascii = ~bytes & kTops;
      const std::uint64_t low = bytes & ~kTops;
      const auto are = [&](unsigned first, unsigned last) {
        return gathered(between(low, first, last) & ascii) << shift;
      };
      block.capitals |= are('A', 'Z');
      block.letters |= are('A', 'Z') | are('a', 'z');
      block.digits |= are('0', '9');
      block.spaces |= are(' ', ' ');
      block.apostrophes |= are('\'', '\'');
      block.newlines |= are('\n', '\n');
      block.others |= are(0x09, 0x0D) | gathered(high) << shift;
    }
    blocks[start / 64] = block;
  }
}

}  // namespace astraweave::simd
