// What sort of byte each byte of a text is, as bit masks, so that the ends of words and numbers are
// found for 64 bytes at a time.
//
// Contract, the same for every tier:
//   text        n bytes, any alignment, any content
//   blocks      (n + 63) / 64 of them, overlapping nothing; bit i % 64 of block i / 64 is byte i,
//   and
//               the bits past n are 0 in every mask
//   result      exactly as the comments on ByteClasses say, equal on every tier
// No kernel reads past the n-th byte.
//
// The floor: a byte is read once and gives seven bits. At 64 bytes in about 20 instructions
// (AVX-512) or 60 (AVX2) this is a small part of what using the masks costs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/tier.hpp"

namespace astraweave::simd {

struct ByteClasses {
  std::uint64_t letters;      // A-Z a-z
  std::uint64_t capitals;     // A-Z
  std::uint64_t digits;       // 0-9
  std::uint64_t spaces;       // the space alone
  std::uint64_t apostrophes;  // '
  std::uint64_t newlines;     // \n, which is one of the others too
  std::uint64_t others;       // not ASCII, or the ASCII whitespace 0x09-0x0D
};

using ClassifyBytes = void (*)(const char* text, std::size_t n, ByteClasses* blocks) noexcept;

void classify_bytes_scalar(const char* text, std::size_t n, ByteClasses* blocks) noexcept;
void classify_bytes_avx2(const char* text, std::size_t n, ByteClasses* blocks) noexcept;
void classify_bytes_avx512(const char* text, std::size_t n, ByteClasses* blocks) noexcept;
void classify_bytes_neon(const char* text, std::size_t n, ByteClasses* blocks) noexcept;

// The kernel of a tier; tiers that this platform lacks answer with the scalar one.
ClassifyBytes classify_bytes_kernel(Tier tier) noexcept;

}  // namespace astraweave::simd
