// Inner products of a query with rows of 8-bit codes that lie anywhere: the step of a walk through
// a graph, which scores the neighbours of one node.
//
// A code c, 1 to 255, stands for the whole number c - 128; a fill of 128 stands for nothing.
//
// Contract, the same for every tier: whole numbers, exact, so the same bits on all of them.
//
// walk_codes
//   query       dims numbers, -127 to 127
//   query_sum   their sum
//   rows        n pointers, any alignment, repeated ones allowed; dims codes stand behind each
//   dims        a multiple of kWalkBlock, at most 65,536, so that every sum fits
//   sums        n numbers: sums[i] = sum over d of query[d] * (rows[i][d] - 128)
//
// centre_codes: a row as a query; returns the sum
//   numbers     dims numbers: numbers[d] = codes[d] - 128; may not overlap codes
//
// Floor, for 384 dimensions: a row is six cache lines. AVX-512 spends 6 vpdpbusd on them, AVX2 12
// times 5 instructions; both are less than the lines take to come from the last cache.
#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/tier.hpp"

namespace astraweave::simd {

inline constexpr std::size_t kWalkBlock = 64;

using WalkCodes = void (*)(const std::int8_t* query, std::int32_t query_sum,
                           const std::uint8_t* const* rows, std::size_t n, std::size_t dims,
                           std::int32_t* sums) noexcept;
using CentreCodes = std::int32_t (*)(const std::uint8_t* codes, std::size_t dims,
                                     std::int8_t* numbers) noexcept;

#define ASTRAWEAVE_DECLARE_WALK(tier)                                                      \
  void walk_codes_##tier(const std::int8_t* query, std::int32_t query_sum,                 \
                         const std::uint8_t* const* rows, std::size_t n, std::size_t dims, \
                         std::int32_t* sums) noexcept;                                     \
  std::int32_t centre_codes_##tier(const std::uint8_t* codes, std::size_t dims,            \
                                   std::int8_t* numbers) noexcept
ASTRAWEAVE_DECLARE_WALK(scalar);
ASTRAWEAVE_DECLARE_WALK(avx2);
ASTRAWEAVE_DECLARE_WALK(avx512);
ASTRAWEAVE_DECLARE_WALK(neon);
#undef ASTRAWEAVE_DECLARE_WALK

// The kernels of a tier; tiers that this platform lacks answer with the scalar ones.
WalkCodes walk_codes_kernel(Tier tier) noexcept;
CentreCodes centre_codes_kernel(Tier tier) noexcept;

}  // namespace astraweave::simd
