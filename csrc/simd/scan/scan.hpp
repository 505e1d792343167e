// One query against many rows: inner products or squared Euclidean distances.
//
// Contract, the same for every tier:
//   query       dims floats, any alignment
//   rows        row r begins at rows + r * stride; stride >= dims; any alignment
//   scores      n floats, overlaps neither query nor rows; scores[r] is the result of row r
//   result      as dot_f32 and l2_f32, and within their bounds:
//               dot: |tier - exact| <= (dims + 1) * 2^-23 * sum |q[i] * row[i]|
//               l2:  |tier - exact| <= (dims + 3) * 2^-23 * exact
//   a score depends on query and row alone: the same row gets the same bits at any position and
//   whatever its neighbours, so that equal vectors tie
// No kernel reads past the dims-th float of a row.
#pragma once

#include <cstddef>

#include "simd/tier.hpp"

namespace astraweave::simd {

using ScanF32 = void (*)(const float* query, const float* rows, std::size_t stride, std::size_t n,
                         std::size_t dims, float* scores) noexcept;

#define ASTRAWEAVE_DECLARE_SCAN(name)                                                 \
  void name(const float* query, const float* rows, std::size_t stride, std::size_t n, \
            std::size_t dims, float* scores) noexcept
ASTRAWEAVE_DECLARE_SCAN(scan_dot_f32_scalar);
ASTRAWEAVE_DECLARE_SCAN(scan_dot_f32_avx2);
ASTRAWEAVE_DECLARE_SCAN(scan_dot_f32_avx512);
ASTRAWEAVE_DECLARE_SCAN(scan_dot_f32_neon);
ASTRAWEAVE_DECLARE_SCAN(scan_l2_f32_scalar);
ASTRAWEAVE_DECLARE_SCAN(scan_l2_f32_avx2);
ASTRAWEAVE_DECLARE_SCAN(scan_l2_f32_avx512);
ASTRAWEAVE_DECLARE_SCAN(scan_l2_f32_neon);
#undef ASTRAWEAVE_DECLARE_SCAN

// The kernels of a tier; tiers that this platform lacks answer with the scalar ones.
ScanF32 scan_dot_f32_kernel(Tier tier) noexcept;
ScanF32 scan_l2_f32_kernel(Tier tier) noexcept;

}  // namespace astraweave::simd
