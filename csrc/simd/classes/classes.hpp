// Which bytes of a text are ASCII letters, which of those are capitals, and which bytes are not
// ASCII: a bit a byte, so that the ends of words are found by counting zeros.
//
// Contract, the same for every tier:
//   text        n bytes, any alignment, any content
//   masks       three arrays of (n + 63) / 64 words that overlap nothing; bit i % 64 of word i / 64
//               is byte i, and the bits past n are 0
//   result      letters: A-Z a-z; capitals: A-Z; high: 0x80-0xFF. Exactly equal on every tier.
// No kernel reads past the n-th byte.
//
// The floor: a byte is read once and gives three bits. At 64 bytes in about 12 instructions
// (AVX-512) or 26 (AVX2) this is a tenth of what finding the pieces afterwards costs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/tier.hpp"

namespace astraweave::simd {

struct ClassMasks {
  std::uint64_t* letters;
  std::uint64_t* capitals;
  std::uint64_t* high;
};

using ByteClasses = void (*)(const char* text, std::size_t n, ClassMasks masks) noexcept;

void byte_classes_scalar(const char* text, std::size_t n, ClassMasks masks) noexcept;
void byte_classes_avx2(const char* text, std::size_t n, ClassMasks masks) noexcept;
void byte_classes_avx512(const char* text, std::size_t n, ClassMasks masks) noexcept;
void byte_classes_neon(const char* text, std::size_t n, ClassMasks masks) noexcept;

// The kernel of a tier; tiers that this platform lacks answer with the scalar one.
ByteClasses byte_classes_kernel(Tier tier) noexcept;

}  // namespace astraweave::simd
