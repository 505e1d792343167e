// The words of wide/words.md for AVX2 with FMA and F16C; included by avx2.cpp files alone.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "simd/target.hpp"

#define ASTRAWEAVE_WIDE ASTRAWEAVE_TARGET_AVX2

namespace astraweave::simd {
namespace {

using Wide = __m256;
constexpr std::size_t kWide = 8;
constexpr std::size_t kRegisters = 16;

ASTRAWEAVE_WIDE inline Wide load(const float* from) noexcept { return _mm256_loadu_ps(from); }
ASTRAWEAVE_WIDE inline void store(float* to, Wide x) noexcept { _mm256_storeu_ps(to, x); }
ASTRAWEAVE_WIDE inline Wide spread(float x) noexcept { return _mm256_set1_ps(x); }
ASTRAWEAVE_WIDE inline Wide add(Wide a, Wide b) noexcept { return _mm256_add_ps(a, b); }
ASTRAWEAVE_WIDE inline Wide subtract(Wide a, Wide b) noexcept { return _mm256_sub_ps(a, b); }
ASTRAWEAVE_WIDE inline Wide multiply(Wide a, Wide b) noexcept { return _mm256_mul_ps(a, b); }
ASTRAWEAVE_WIDE inline Wide divide(Wide a, Wide b) noexcept { return _mm256_div_ps(a, b); }
ASTRAWEAVE_WIDE inline Wide multiply_add(Wide a, Wide b, Wide c) noexcept {
  return _mm256_fmadd_ps(a, b, c);
}
ASTRAWEAVE_WIDE inline Wide least(Wide x, Wide bound) noexcept { return _mm256_min_ps(x, bound); }
ASTRAWEAVE_WIDE inline Wide most(Wide x, Wide bound) noexcept { return _mm256_max_ps(x, bound); }
ASTRAWEAVE_WIDE inline Wide size_of(Wide x) noexcept {
  return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}
ASTRAWEAVE_WIDE inline Wide keep_from(Wide x, Wide tested, float bound) noexcept {
  return _mm256_and_ps(_mm256_cmp_ps(tested, _mm256_set1_ps(bound), _CMP_GE_OQ), x);
}
ASTRAWEAVE_WIDE inline Wide drop_below(Wide x, Wide tested, float bound) noexcept {
  return _mm256_and_ps(_mm256_cmp_ps(tested, _mm256_set1_ps(bound), _CMP_NLT_UQ), x);
}
ASTRAWEAVE_WIDE inline Wide nearest(Wide x) noexcept {
  return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
ASTRAWEAVE_WIDE inline Wide power_of_two(Wide whole) noexcept {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
}
ASTRAWEAVE_WIDE inline float sum_of(Wide x) noexcept {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
ASTRAWEAVE_WIDE inline float largest_of(Wide x) noexcept {
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

ASTRAWEAVE_WIDE inline Wide load_halves(const std::uint16_t* from) noexcept {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
ASTRAWEAVE_WIDE inline void store_halves(std::uint16_t* to, Wide x) noexcept {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
ASTRAWEAVE_WIDE inline Wide load_codes(const std::int8_t* from) noexcept {
  const __m128i codes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes));
}
ASTRAWEAVE_WIDE inline void store_codes(std::int8_t* to, Wide x) noexcept {
  const __m256i whole = _mm256_cvtps_epi32(x);
  const __m128i words =
      _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(words, words));
}

}  // namespace
}  // namespace astraweave::simd
