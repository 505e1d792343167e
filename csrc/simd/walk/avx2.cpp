#include "simd/target.hpp"
#include "simd/walk/walk.hpp"

#if ASTRAWEAVE_X86
#include <immintrin.h>

namespace astraweave::simd {
namespace {

ASTRAWEAVE_TARGET_AVX2 inline __m256i load(const void* from) noexcept {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

ASTRAWEAVE_TARGET_AVX2 inline std::int32_t total(__m256i sum) noexcept {
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}

// vpmaddubsw on the codes themselves would saturate: 2 * 255 * 127 is more than 16 bits hold. With
// |q| by sign(q) * (c - 128) it is 2 * 127 * 127, which fits.
template <int kRows>
ASTRAWEAVE_TARGET_AVX2 inline void score_rows(const std::int8_t* query,
                                              const std::uint8_t* const* rows, std::size_t dims,
                                              std::int32_t* sums) noexcept {
  const __m256i middle = _mm256_set1_epi8(static_cast<char>(0x80));
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[kRows];
  for (int r = 0; r < kRows; ++r) sum[r] = _mm256_setzero_si256();
  for (std::size_t i = 0; i < dims; i += 32) {
    const __m256i q = load(query + i);
    const __m256i length = _mm256_abs_epi8(q);
    for (int r = 0; r < kRows; ++r) {
      const __m256i number = _mm256_xor_si256(load(rows[r] + i), middle);
      const __m256i pairs = _mm256_maddubs_epi16(length, _mm256_sign_epi8(number, q));
      sum[r] = _mm256_add_epi32(sum[r], _mm256_madd_epi16(pairs, ones));
    }
  }
  for (int r = 0; r < kRows; ++r) sums[r] = total(sum[r]);
}

}  // namespace

ASTRAWEAVE_TARGET_AVX2 void walk_codes_avx2(const std::int8_t* query, std::int32_t,
                                            const std::uint8_t* const* rows, std::size_t n,
                                            std::size_t dims, std::int32_t* sums) noexcept {
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) score_rows<4>(query, rows + i, dims, sums + i);
  if (i + 2 <= n) {
    score_rows<2>(query, rows + i, dims, sums + i);
    i += 2;
  }
  if (i < n) score_rows<1>(query, rows + i, dims, sums + i);
}

ASTRAWEAVE_TARGET_AVX2 std::int32_t centre_codes_avx2(const std::uint8_t* codes, std::size_t dims,
                                                      std::int8_t* numbers) noexcept {
  const __m256i middle = _mm256_set1_epi8(static_cast<char>(0x80));
  __m256i sum = _mm256_setzero_si256();
  for (std::size_t i = 0; i < dims; i += 32) {
    const __m256i row = load(codes + i);
    sum = _mm256_add_epi64(sum, _mm256_sad_epu8(row, _mm256_setzero_si256()));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(numbers + i), _mm256_xor_si256(row, middle));
  }
  return total(sum) - 128 * static_cast<std::int32_t>(dims);
}

}  // namespace astraweave::simd
#endif
