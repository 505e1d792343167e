#include "simd/codes/codes.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86
#include <immintrin.h>

namespace astraweave::simd {
namespace {

// Four vectors of eight numbers to their four sums.
ASTRAWEAVE_TARGET_AVX2 inline __m128i totals(const __m256i* sums) noexcept {
  const __m256i quarters =
      _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
  return _mm_add_epi32(_mm256_castsi256_si128(quarters), _mm256_extracti128_si256(quarters, 1));
}

ASTRAWEAVE_TARGET_AVX2 inline __m256i load(const void* from) noexcept {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

// vpmaddubsw on the codes themselves would saturate: 2 * 255 * 127 is more than 16 bits hold. With
// |q| by sign(q) * (c - 128) it is 2 * 127 * 127, which fits.
ASTRAWEAVE_TARGET_AVX2 inline void gather_four(const std::int8_t* query, std::int32_t query_sum,
                                               const std::uint8_t* const* row, std::size_t dims,
                                               std::int32_t* sums) noexcept {
  const __m256i middle = _mm256_set1_epi8(static_cast<char>(0x80));
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[4];
  ASTRAWEAVE_UNROLL
  for (int r = 0; r < 4; ++r) sum[r] = _mm256_setzero_si256();
  std::size_t i = 0;
  for (; i + 32 <= dims; i += 32) {
    const __m256i q = load(query + i);
    const __m256i length = _mm256_abs_epi8(q);
    ASTRAWEAVE_UNROLL
    for (int r = 0; r < 4; ++r) {
      const __m256i number = _mm256_xor_si256(load(row[r] + i), middle);
      const __m256i pairs = _mm256_maddubs_epi16(length, _mm256_sign_epi8(number, q));
      sum[r] = _mm256_add_epi32(sum[r], _mm256_madd_epi16(pairs, ones));
    }
  }
  _mm_storeu_si128(reinterpret_cast<__m128i*>(sums),
                   _mm_add_epi32(totals(sum), _mm_set1_epi32(128 * query_sum)));
  for (; i < dims; ++i) {
    ASTRAWEAVE_UNROLL
    for (int r = 0; r < 4; ++r) sums[r] += query[i] * row[r][i];
  }
}

// Keeps a value in one register: GCC would load an operand again for each use, and copy sums.
ASTRAWEAVE_TARGET_AVX2 inline __m256i pinned(__m256i value) noexcept {
#if defined(__GNUC__) && !defined(__clang__)
  __asm__("" : "+x"(value));
#endif
  return value;
}

// Four rows for kQueries queries; codes are widened once for all queries. Four sums a query.
template <int kQueries>
ASTRAWEAVE_TARGET_AVX2 inline void score_four(const std::int16_t* const* wide,
                                              const std::uint8_t* rows, std::size_t stride,
                                              std::size_t padded, __m128i* sums) noexcept {
  __m256i sum[kQueries * 4];
  ASTRAWEAVE_UNROLL
  for (int i = 0; i < kQueries * 4; ++i) sum[i] = _mm256_setzero_si256();
  for (std::size_t i = 0; i < padded; i += 16) {
    __m256i codes[4];
    ASTRAWEAVE_UNROLL
    for (int r = 0; r < 4; ++r) {
      const std::uint8_t* from = rows + static_cast<std::size_t>(r) * stride + i;
      codes[r] = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    }
    ASTRAWEAVE_UNROLL
    for (int q = 0; q < kQueries; ++q) {
      const __m256i numbers = pinned(load(wide[q] + i));
      ASTRAWEAVE_UNROLL
      for (int r = 0; r < 4; ++r) {
        sum[q * 4 + r] =
            pinned(_mm256_add_epi32(sum[q * 4 + r], _mm256_madd_epi16(codes[r], numbers)));
      }
    }
  }
  ASTRAWEAVE_UNROLL
  for (int q = 0; q < kQueries; ++q) sums[q] = totals(sum + q * 4);
}

template <int kQueries>
ASTRAWEAVE_TARGET_AVX2 void scan(const CodeQuery* queries, const std::uint8_t* rows,
                                 std::size_t stride, std::size_t n, std::int32_t* sums) noexcept {
  const std::int16_t* wide[kQueries];
  for (int q = 0; q < kQueries; ++q) wide[q] = queries[q].wide();
  const std::size_t padded = queries[0].blocks() * kCodeBlock;
  __m128i four[kQueries];
  std::size_t r = 0;
  for (; r + 4 <= n; r += 4) {
    score_four<kQueries>(wide, rows + r * stride, stride, padded, four);
    for (int q = 0; q < kQueries; ++q) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(sums + static_cast<std::size_t>(q) * n + r),
                       four[q]);
    }
  }
  for (; r < n; ++r) {  // the same row four times over
    score_four<kQueries>(wide, rows + r * stride, 0, padded, four);
    for (int q = 0; q < kQueries; ++q) {
      sums[static_cast<std::size_t>(q) * n + r] = _mm_cvtsi128_si32(four[q]);
    }
  }
}

}  // namespace

ASTRAWEAVE_TARGET_AVX2 void gather_codes_avx2(const std::int8_t* query, const std::uint8_t* rows,
                                              std::size_t stride, const std::uint32_t* slots,
                                              std::size_t n, std::size_t dims,
                                              std::int32_t* sums) noexcept {
  std::int32_t query_sum = 0;  // of what gather_four takes 32 at a time
  for (std::size_t i = 0; i < dims / 32 * 32; ++i) query_sum += query[i];
  for (std::size_t i = 0; i < n; i += 4) {
    const std::uint8_t* row[4];
    for (std::size_t r = 0; r < 4; ++r) {
      row[r] = rows + slots[i + r < n ? i + r : n - 1] * stride;
    }
    if (i + 4 <= n) {
      gather_four(query, query_sum, row, dims, sums + i);
    } else {
      std::int32_t last[4];
      gather_four(query, query_sum, row, dims, last);
      for (std::size_t r = 0; i + r < n; ++r) sums[i + r] = last[r];
    }
  }
}

void scan_codes_avx2(const CodeQuery* queries, std::size_t m, const std::uint8_t* rows,
                     std::size_t stride, std::size_t n, std::int32_t* sums) noexcept {
  std::size_t q = 0;
  for (; q + 2 <= m; q += 2) scan<2>(queries + q, rows, stride, n, sums + q * n);
  if (q < m) scan<1>(queries + q, rows, stride, n, sums + q * n);
}

}  // namespace astraweave::simd
#endif
