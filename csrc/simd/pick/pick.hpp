// Which rows of a scan over codes could still be wanted, by bounds on their scores.
//
// Contract, the same for every tier:
//   sums        n sums of scan_codes, one a row
//   rows        of each row what code_rows.hpp keeps: scale, residual, length
//   picked      room for n; takes the places, ascending, of the rows that pass
//   result      how many passed
// With a = (sum - bias) * scale[r] * query_scale a row passes unless
//   dot   a + residual_weight * residual[r] + length_weight * length[r] < threshold
//   l2    a + shrink * length[r]^2 + base > (threshold + residual[r])^2
// where NaN passes. Computed in float32, in any order, fused or not: bounds are given wide enough
// for that, see row_bounds.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/tier.hpp"

namespace astraweave::simd {

struct CodeRowSpan {
  const float* scale;
  const float* residual;
  const float* length;
};

struct DotPick {
  std::int32_t bias;
  float query_scale;
  float residual_weight;
  float length_weight;
  float threshold;
};

struct L2Pick {
  std::int32_t bias;
  float query_scale;
  float shrink;
  float base;
  float threshold;
};

using PickDot = std::size_t (*)(const std::int32_t* sums, std::size_t n, const CodeRowSpan& rows,
                                const DotPick& pick, std::uint32_t* picked) noexcept;
using PickL2 = std::size_t (*)(const std::int32_t* sums, std::size_t n, const CodeRowSpan& rows,
                               const L2Pick& pick, std::uint32_t* picked) noexcept;

#define ASTRAWEAVE_DECLARE_PICK(tier)                                                           \
  std::size_t pick_dot_##tier(const std::int32_t* sums, std::size_t n, const CodeRowSpan& rows, \
                              const DotPick& pick, std::uint32_t* picked) noexcept;             \
  std::size_t pick_l2_##tier(const std::int32_t* sums, std::size_t n, const CodeRowSpan& rows,  \
                             const L2Pick& pick, std::uint32_t* picked) noexcept
ASTRAWEAVE_DECLARE_PICK(scalar);
ASTRAWEAVE_DECLARE_PICK(avx2);
ASTRAWEAVE_DECLARE_PICK(avx512);
#undef ASTRAWEAVE_DECLARE_PICK

// The kernels of a tier; tiers that this platform lacks, and NEON, answer with the scalar ones.
PickDot pick_dot_kernel(Tier tier) noexcept;
PickL2 pick_l2_kernel(Tier tier) noexcept;

}  // namespace astraweave::simd
