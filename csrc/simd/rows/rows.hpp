// What a decoder does to a row of numbers between its matrix products.
//
// Contract, the same for every tier; pointers need no alignment, out may be the input:
//
// rms_norm       out[i] = x[i] / sqrt(mean of x^2 + epsilon) * weight[i], n >= 1 numbers
// rope           turns one head in place, its first half against its second: with h = head_size /
// 2,
//                (x[i], x[i + h]) becomes (x[i] cos[i] - x[i + h] sin[i], x[i + h] cos[i] + x[i]
//                sin[i]); head_size even; cos and sin hold h numbers each
// silu_multiply  out[i] = gate[i] / (1 + exp(-gate[i])) * up[i]
//
// Error bounds, u = 2^-24:
//   rms_norm       relative, <= (n / 8 + 16) u; nothing overflows while x^2 sums to a float
//   rope           <= 3 u (|x[i]| + |x[i + h]|) where |cos|, |sin| <= 1
//   silu_multiply  relative, <= 16 u, or absolute, <= 1e-33 |up|, where gate is below -80; NaN
//   stays
//                  NaN
// Sums run in an order that n alone decides, so a row's result is the same wherever it stands.
//
// Floors: each is a few operations a number on rows that lie in the first cache. A token of SmolLM2
// has 61 norms of 576 numbers, 30 * 12 turned heads and 30 * 1536 silus: about 46,000 exponentials,
// 2,900 registers of AVX-512 at some 12 cycles, 8 microseconds.
#pragma once

#include <cstddef>

#include "simd/tier.hpp"

namespace astraweave::simd {

struct RowKernels {
  void (*rms_norm)(const float* x, const float* weight, float epsilon, std::size_t n,
                   float* out) noexcept;
  void (*rope)(float* head, const float* cos, const float* sin, std::size_t head_size) noexcept;
  void (*silu_multiply)(const float* gate, const float* up, std::size_t n, float* out) noexcept;
};

extern const RowKernels kRowsScalar;
extern const RowKernels kRowsAvx2;
extern const RowKernels kRowsAvx512;
extern const RowKernels kRowsNeon;

// The kernels of a tier; tiers that this platform lacks answer with the scalar ones.
const RowKernels& row_kernels(Tier tier) noexcept;

}  // namespace astraweave::simd
