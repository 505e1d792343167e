// Inner products of a query with rows of 8-bit codes.
//
// A code c, 1 to 255, stands for the whole number c - 128, so -127 to 127. Kernels multiply by the
// code itself, as the processors' unsigned-by-signed instructions want it: the sum over what the
// codes stand for is the result less 128 times the sum of the query.
//
// Contract, the same for every tier: whole numbers, exact, so the same bits on all of them.
//
// gather: a few rows, in any order, for walks through a graph
//   query       dims numbers, -127 to 127
//   rows        row s begins at rows + s * stride; stride >= dims; any alignment
//   slots       n row numbers, in any order, repeated ones allowed
//   dims        at most 65,536, so that every sum fits
//   sums        n numbers: sums[i] = sum over d of query[d] * rows[slots[i] * stride + d]
//   Nothing behind the dims-th code of a row is read. Rows are scored four at a time, so that four
//   cache misses are under way together.
//
// scan: all rows of a run, for one query or several
//   queries     m prepared queries of one dims(); see code_query.hpp
//   rows        row r begins at rows + r * stride; stride >= dims() rounded up to kCodeBlock. What
//               stands behind a row's own codes up to that is read and counts for nothing
//   sums        m * n numbers: sums[q * n + r] belongs to query q and row r
//
// Floors, for 384 dimensions: a row is 6 loads of 64 bytes. AVX-512 spends 6 vpdpbusd on them, 3
// cycles where two are begun in each; AVX2 18 multiplications, 9 cycles. One query alone waits for
// the memory instead: 10,000 rows are 3.8 MB.
#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/codes/code_query.hpp"
#include "simd/tier.hpp"

namespace astraweave::simd {

using GatherCodes = void (*)(const std::int8_t* query, const std::uint8_t* rows, std::size_t stride,
                             const std::uint32_t* slots, std::size_t n, std::size_t dims,
                             std::int32_t* sums) noexcept;
using ScanCodes = void (*)(const CodeQuery* queries, std::size_t m, const std::uint8_t* rows,
                           std::size_t stride, std::size_t n, std::int32_t* sums) noexcept;

#define ASTRAWEAVE_DECLARE_CODES(tier)                                                             \
  void gather_codes_##tier(const std::int8_t* query, const std::uint8_t* rows, std::size_t stride, \
                           const std::uint32_t* slots, std::size_t n, std::size_t dims,            \
                           std::int32_t* sums) noexcept;                                           \
  void scan_codes_##tier(const CodeQuery* queries, std::size_t m, const std::uint8_t* rows,        \
                         std::size_t stride, std::size_t n, std::int32_t* sums) noexcept
ASTRAWEAVE_DECLARE_CODES(scalar);
ASTRAWEAVE_DECLARE_CODES(avx2);
ASTRAWEAVE_DECLARE_CODES(avx512);
ASTRAWEAVE_DECLARE_CODES(neon);
#undef ASTRAWEAVE_DECLARE_CODES

// The kernels of a tier; tiers that this platform lacks answer with the scalar ones.
GatherCodes gather_codes_kernel(Tier tier) noexcept;
ScanCodes scan_codes_kernel(Tier tier) noexcept;

}  // namespace astraweave::simd
