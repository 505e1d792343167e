// The words of wide/words.md for AVX-512; included by avx512.cpp files alone.
#pragma once

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push  // GCC 12's own header trips over its undefined registers
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <cstddef>
#include <cstdint>

#include "simd/target.hpp"

#define ASTRAWEAVE_WIDE ASTRAWEAVE_TARGET_AVX512

namespace astraweave::simd {
namespace {

using Wide = __m512;
constexpr std::size_t kWide = 16;
constexpr std::size_t kRegisters = 32;

ASTRAWEAVE_WIDE inline Wide load(const float* from) noexcept { return _mm512_loadu_ps(from); }
ASTRAWEAVE_WIDE inline void store(float* to, Wide x) noexcept { _mm512_storeu_ps(to, x); }
ASTRAWEAVE_WIDE inline Wide spread(float x) noexcept { return _mm512_set1_ps(x); }
ASTRAWEAVE_WIDE inline Wide add(Wide a, Wide b) noexcept { return _mm512_add_ps(a, b); }
ASTRAWEAVE_WIDE inline Wide subtract(Wide a, Wide b) noexcept { return _mm512_sub_ps(a, b); }
ASTRAWEAVE_WIDE inline Wide multiply(Wide a, Wide b) noexcept { return _mm512_mul_ps(a, b); }
ASTRAWEAVE_WIDE inline Wide divide(Wide a, Wide b) noexcept { return _mm512_div_ps(a, b); }
ASTRAWEAVE_WIDE inline Wide multiply_add(Wide a, Wide b, Wide c) noexcept {
  return _mm512_fmadd_ps(a, b, c);
}
ASTRAWEAVE_WIDE inline Wide least(Wide x, Wide bound) noexcept { return _mm512_min_ps(x, bound); }
ASTRAWEAVE_WIDE inline Wide most(Wide x, Wide bound) noexcept { return _mm512_max_ps(x, bound); }
ASTRAWEAVE_WIDE inline Wide size_of(Wide x) noexcept { return _mm512_abs_ps(x); }
ASTRAWEAVE_WIDE inline Wide keep_from(Wide x, Wide tested, float bound) noexcept {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(tested, _mm512_set1_ps(bound), _CMP_GE_OQ), x);
}
ASTRAWEAVE_WIDE inline Wide drop_below(Wide x, Wide tested, float bound) noexcept {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(tested, _mm512_set1_ps(bound), _CMP_NLT_UQ), x);
}
ASTRAWEAVE_WIDE inline Wide nearest(Wide x) noexcept {
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
ASTRAWEAVE_WIDE inline Wide power_of_two(Wide whole) noexcept {
  const __m512i exponent = _mm512_add_epi32(_mm512_cvtps_epi32(whole), _mm512_set1_epi32(127));
  return _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23));
}
ASTRAWEAVE_WIDE inline float sum_of(Wide x) noexcept { return _mm512_reduce_add_ps(x); }
ASTRAWEAVE_WIDE inline float largest_of(Wide x) noexcept { return _mm512_reduce_max_ps(x); }

ASTRAWEAVE_WIDE inline Wide load_halves(const std::uint16_t* from) noexcept {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
ASTRAWEAVE_WIDE inline void store_halves(std::uint16_t* to, Wide x) noexcept {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                      _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
ASTRAWEAVE_WIDE inline Wide load_codes(const std::int8_t* from) noexcept {
  const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(codes));
}
ASTRAWEAVE_WIDE inline void store_codes(std::int8_t* to, Wide x) noexcept {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(x)));
}

}  // namespace
}  // namespace astraweave::simd
