// One query against many rows: inner products or squared Euclidean distances. The rows are float32,
// or float16 (in 16 bits, finite) that is widened before anything is computed.
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
// No kernel reads past the dims-th number of a row.
#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/tier.hpp"

namespace astraweave::simd {

using ScanF32 = void (*)(const float* query, const float* rows, std::size_t stride, std::size_t n,
                         std::size_t dims, float* scores) noexcept;

using ScanF16 = void (*)(const float* query, const std::uint16_t* rows, std::size_t stride,
                         std::size_t n, std::size_t dims, float* scores) noexcept;

#define ASTRAWEAVE_DECLARE_SCAN(tier)                                                         \
  void scan_dot_f32_##tier(const float* query, const float* rows, std::size_t stride,         \
                           std::size_t n, std::size_t dims, float* scores) noexcept;          \
  void scan_l2_f32_##tier(const float* query, const float* rows, std::size_t stride,          \
                          std::size_t n, std::size_t dims, float* scores) noexcept;           \
  void scan_dot_f16_##tier(const float* query, const std::uint16_t* rows, std::size_t stride, \
                           std::size_t n, std::size_t dims, float* scores) noexcept;          \
  void scan_l2_f16_##tier(const float* query, const std::uint16_t* rows, std::size_t stride,  \
                          std::size_t n, std::size_t dims, float* scores) noexcept
ASTRAWEAVE_DECLARE_SCAN(scalar);
ASTRAWEAVE_DECLARE_SCAN(avx2);
ASTRAWEAVE_DECLARE_SCAN(avx512);
ASTRAWEAVE_DECLARE_SCAN(neon);
#undef ASTRAWEAVE_DECLARE_SCAN

// The kernels of a tier; tiers that this platform lacks answer with the scalar ones.
ScanF32 scan_dot_f32_kernel(Tier tier) noexcept;
ScanF32 scan_l2_f32_kernel(Tier tier) noexcept;
ScanF16 scan_dot_f16_kernel(Tier tier) noexcept;
ScanF16 scan_l2_f16_kernel(Tier tier) noexcept;

}  // namespace astraweave::simd
