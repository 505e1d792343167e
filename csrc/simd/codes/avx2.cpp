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

// kRows rows for kQueries queries. With |q| <= 31 two steps' sums of neighbours fit into 16 bits.
// sums[q * kRows + r].
template <int kQueries, int kRows>
ASTRAWEAVE_TARGET_AVX2 inline void score_rows(const std::int8_t* const* query,
                                              const std::uint8_t* rows, std::size_t stride,
                                              std::size_t padded, __m256i* sum) noexcept {
  const __m256i ones = _mm256_set1_epi16(1);
  ASTRAWEAVE_UNROLL
  for (int i = 0; i < kQueries * kRows; ++i) sum[i] = _mm256_setzero_si256();
  for (std::size_t i = 0; i < padded; i += 64) {
    __m256i left[kRows];
    __m256i right[kRows];
    ASTRAWEAVE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      left[r] = load(rows + static_cast<std::size_t>(r) * stride + i);
      right[r] = load(rows + static_cast<std::size_t>(r) * stride + i + 32);
    }
    ASTRAWEAVE_UNROLL
    for (int q = 0; q < kQueries; ++q) {
      ASTRAWEAVE_UNROLL
      for (int r = 0; r < kRows; ++r) {
        const __m256i pairs =
            _mm256_add_epi16(_mm256_maddubs_epi16(left[r], load(query[q] + i)),
                             _mm256_maddubs_epi16(right[r], load(query[q] + i + 32)));
        sum[q * kRows + r] =
            pinned(_mm256_add_epi32(sum[q * kRows + r], _mm256_madd_epi16(pairs, ones)));
      }
    }
  }
}

ASTRAWEAVE_TARGET_AVX2 void scan_one(const CodeQuery& query, const std::uint8_t* rows,
                                     std::size_t stride, std::size_t n,
                                     std::int32_t* sums) noexcept {
  const std::int8_t* numbers = query.numbers();
  const std::size_t padded = query.blocks() * kCodeBlock;
  __m256i sum[4];
  std::size_t r = 0;
  for (; r + 4 <= n; r += 4) {
    ASTRAWEAVE_UNROLL
    for (int i = 0; i < 4; ++i) {  // one row after the other, as the memory lies
      const std::uint8_t* row = rows + (r + static_cast<std::size_t>(i)) * stride;
      score_rows<1, 1>(&numbers, row, stride, padded, sum + i);
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(sums + r), totals(sum));
  }
  for (; r < n; ++r) {
    score_rows<1, 1>(&numbers, rows + r * stride, stride, padded, sum);
    sum[1] = sum[2] = sum[3] = _mm256_setzero_si256();
    sums[r] = _mm_cvtsi128_si32(totals(sum));
  }
}

ASTRAWEAVE_TARGET_AVX2 void scan_four(const CodeQuery* queries, const std::uint8_t* rows,
                                      std::size_t stride, std::size_t n,
                                      std::int32_t* sums) noexcept {
  const std::int8_t* query[4];
  for (int q = 0; q < 4; ++q) query[q] = queries[q].numbers();
  const std::size_t padded = queries[0].blocks() * kCodeBlock;
  __m256i sum[8];
  for (std::size_t r = 0; r < n; r += 2) {
    const bool is_last = r + 1 == n;  // then the same row twice
    score_rows<4, 2>(query, rows + r * stride, is_last ? 0 : stride, padded, sum);
    alignas(16) std::int32_t some[8];
    _mm_store_si128(reinterpret_cast<__m128i*>(some), totals(sum));
    _mm_store_si128(reinterpret_cast<__m128i*>(some + 4), totals(sum + 4));
    for (std::size_t q = 0; q < 4; ++q) {
      sums[q * n + r] = some[2 * q];
      if (!is_last) sums[q * n + r + 1] = some[2 * q + 1];
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
  for (; q + 4 <= m; q += 4) scan_four(queries + q, rows, stride, n, sums + q * n);
  for (; q < m; ++q) scan_one(queries[q], rows, stride, n, sums + q * n);
}

}  // namespace astraweave::simd
#endif
