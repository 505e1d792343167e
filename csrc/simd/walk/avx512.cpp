#include "simd/target.hpp"
#include "simd/walk/walk.hpp"

#if ASTRAWEAVE_X86
#include <immintrin.h>

namespace astraweave::simd {
namespace {

ASTRAWEAVE_TARGET_AVX512 inline std::int32_t total(__m512i sum) noexcept {
  const __m256i quarter =
      _mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
  __m128i half =
      _mm_add_epi32(_mm256_castsi256_si128(quarter), _mm256_extracti128_si256(quarter, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}

template <int kRows>
ASTRAWEAVE_TARGET_AVX512 inline void score_rows(const std::int8_t* query, std::int32_t offset,
                                                const std::uint8_t* const* rows, std::size_t dims,
                                                std::int32_t* sums) noexcept {
  __m512i sum[kRows];
  for (int r = 0; r < kRows; ++r) sum[r] = _mm512_setzero_si512();
  for (std::size_t i = 0; i < dims; i += 64) {
    const __m512i q = _mm512_loadu_si512(query + i);
    for (int r = 0; r < kRows; ++r) {
      sum[r] = _mm512_dpbusd_epi32(sum[r], _mm512_loadu_si512(rows[r] + i), q);
    }
  }
  for (int r = 0; r < kRows; ++r) sums[r] = total(sum[r]) - offset;
}

}  // namespace

ASTRAWEAVE_TARGET_AVX512 void walk_codes_avx512(const std::int8_t* query, std::int32_t query_sum,
                                                const std::uint8_t* const* rows, std::size_t n,
                                                std::size_t dims, std::int32_t* sums) noexcept {
  const std::int32_t offset = 128 * query_sum;
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) score_rows<4>(query, offset, rows + i, dims, sums + i);
  if (i + 2 <= n) {
    score_rows<2>(query, offset, rows + i, dims, sums + i);
    i += 2;
  }
  if (i < n) score_rows<1>(query, offset, rows + i, dims, sums + i);
}

ASTRAWEAVE_TARGET_AVX512 std::int32_t centre_codes_avx512(const std::uint8_t* codes,
                                                          std::size_t dims,
                                                          std::int8_t* numbers) noexcept {
  const __m512i middle = _mm512_set1_epi8(static_cast<char>(0x80));
  __m512i sum = _mm512_setzero_si512();
  for (std::size_t i = 0; i < dims; i += 64) {
    const __m512i row = _mm512_loadu_si512(codes + i);
    sum = _mm512_add_epi64(sum, _mm512_sad_epu8(row, _mm512_setzero_si512()));
    _mm512_storeu_si512(numbers + i, _mm512_xor_si512(row, middle));
  }
  return total(sum) - 128 * static_cast<std::int32_t>(dims);
}

}  // namespace astraweave::simd
#endif
