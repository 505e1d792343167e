// float16 in 16 bits, for processors and compilers that have no type of it.
#pragma once

#include <bit>
#include <cstdint>

namespace astraweave::simd {

inline constexpr float kMaxHalf = 65504.0f;

// Exact.
inline float from_half(std::uint16_t half) noexcept {
  const std::uint32_t sign = std::uint32_t{half & 0x8000u} << 16;
  const std::uint32_t rest = half & 0x7fffu;
  // As a float the exponent is 112 too low: one multiplication lifts it, subnormals included.
  constexpr float kLift = 0x1p112f;
  float value = std::bit_cast<float>(rest << 13) * kLift;
  if (rest >= 0x7c00) value = std::bit_cast<float>(0x7f800000u | (rest & 0x3ffu) << 13);
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
}

// To the nearest, ties to even; infinity above kMaxHalf and its rounding. Not for NaN.
inline std::uint16_t to_half(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  const float size = std::bit_cast<float>(bits & 0x7fffffffu);
  if (size >= 65520.0f) return static_cast<std::uint16_t>(sign | 0x7c00u);
  // Adding a power of two leaves the half's bits at the end of the sum, rounded.
  if (size < 0x1p-14f) {
    const float sum = size + 0.5f;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(sum) - 0x3f000000u));
  }
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  const std::uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
  return static_cast<std::uint16_t>(sign | ((rounded >> 13) - (112u << 10)));
}

}  // namespace astraweave::simd
