// Squared Euclidean distances of float32 vectors.
//
// Contract, the same for every tier:
//   a, b        n floats each, any alignment, may overlap
//   result      sum of (a[i] - b[i])^2; accumulated in float32 lanes, so tiers differ by rounding
//               only: |tier - exact| <= (n + 3) * 2^-23 * exact (without under- and overflow)
//   n == 0      0
//   a == b      0, exactly
// No kernel reads past a[n - 1] or b[n - 1].
#pragma once

#include <cstddef>

#include "simd/tier.hpp"

namespace astraweave::simd {

using L2F32 = float (*)(const float* a, const float* b, std::size_t n) noexcept;

float l2_f32_scalar(const float* a, const float* b, std::size_t n) noexcept;
float l2_f32_avx2(const float* a, const float* b, std::size_t n) noexcept;
float l2_f32_avx512(const float* a, const float* b, std::size_t n) noexcept;
float l2_f32_neon(const float* a, const float* b, std::size_t n) noexcept;

// The kernel of a tier; tiers that this platform lacks answer with the scalar one.
L2F32 l2_f32_kernel(Tier tier) noexcept;

}  // namespace astraweave::simd
