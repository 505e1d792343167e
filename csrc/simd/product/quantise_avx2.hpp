// One block of a row to codes, for the two kernels of AVX2, which keep them differently.
#pragma once

#include "simd/product/records.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86
#include <immintrin.h>

namespace astraweave::simd {
namespace {

// The largest of eight whole numbers.
ASTRAWEAVE_TARGET_AVX2 inline std::int32_t largest(__m256i x) noexcept {
  __m128i most = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  most = _mm_max_epi32(most, _mm_shuffle_epi32(most, 0x4e));
  return _mm_cvtsi128_si32(_mm_max_epi32(most, _mm_shuffle_epi32(most, 0xb1)));
}

ASTRAWEAVE_TARGET_AVX2 inline std::int32_t total(__m256i x) noexcept {
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1)));
}

struct QuantisedBlock {
  float scale;
  std::int32_t minus_sum;
  __m256i words[2];  // the codes in 16 bits
};

ASTRAWEAVE_TARGET_AVX2 inline QuantisedBlock quantise_block(const float* x) noexcept {
  const __m256i sign = _mm256_set1_epi32(0x7fffffff);
  __m256 part[4];
  __m256i most_of = _mm256_setzero_si256();
  ASTRAWEAVE_UNROLL
  for (std::size_t i = 0; i < 4; ++i) {
    part[i] = _mm256_loadu_ps(x + i * 8);
    most_of = _mm256_max_epi32(most_of, _mm256_and_si256(_mm256_castps_si256(part[i]), sign));
  }
  const float most = _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(largest(most_of))));
  if (!is_number(most)) return {kNoNumbers<ByteRecord>.scale, 0, {}};
  const __m256 inverse = _mm256_set1_ps(most < kSmallestBlock ? 0.0F : kLargestCode / most);
  __m256i codes[4];
  __m256i sum = _mm256_setzero_si256();
  ASTRAWEAVE_UNROLL
  for (std::size_t i = 0; i < 4; ++i) {
    codes[i] = _mm256_cvtps_epi32(_mm256_mul_ps(part[i], inverse));
    sum = _mm256_add_epi32(sum, codes[i]);
  }
  QuantisedBlock block;
  block.scale = most < kSmallestBlock ? 0.0F : most / kLargestCode;
  block.minus_sum = -total(sum);
  ASTRAWEAVE_UNROLL
  for (std::size_t i = 0; i < 2; ++i) {
    const __m256i words = _mm256_packs_epi32(codes[2 * i], codes[2 * i + 1]);
    block.words[i] = _mm256_permute4x64_epi64(words, 0xd8);
  }
  return block;
}

}  // namespace
}  // namespace astraweave::simd
#endif
