#include "simd/codes/codes.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86
#include <immintrin.h>

namespace astraweave::simd {
namespace {

// sum + codes * numbers, four neighbours to a lane.
ASTRAWEAVE_TARGET_AVX512 inline __m512i add_products(__m512i sum, __m512i codes,
                                                     __m512i numbers) noexcept {
#if defined(__GNUC__) && !defined(__clang__)
  // GCC 12 copies the sum there and back around the intrinsic.
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(codes), "vm"(numbers));
  return sum;
#else
  return _mm512_dpbusd_epi32(sum, codes, numbers);
#endif
}

// Four vectors of 16 numbers to their four sums.
ASTRAWEAVE_TARGET_AVX512 inline __m128i totals(const __m512i* sums) noexcept {
  const __m512i low01 = _mm512_unpacklo_epi32(sums[0], sums[1]);
  const __m512i high01 = _mm512_unpackhi_epi32(sums[0], sums[1]);
  const __m512i low23 = _mm512_unpacklo_epi32(sums[2], sums[3]);
  const __m512i high23 = _mm512_unpackhi_epi32(sums[2], sums[3]);
  const __m512i pairs01 = _mm512_add_epi32(low01, high01);  // 0 1 0 1 in each quarter
  const __m512i pairs23 = _mm512_add_epi32(low23, high23);
  const __m512i quarters = _mm512_add_epi32(_mm512_unpacklo_epi64(pairs01, pairs23),
                                            _mm512_unpackhi_epi64(pairs01, pairs23));
  const __m256i halves =
      _mm256_add_epi32(_mm512_castsi512_si256(quarters), _mm512_extracti64x4_epi64(quarters, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

ASTRAWEAVE_TARGET_AVX512 inline void gather_four(const std::int8_t* query,
                                                 const std::uint8_t* const* row, std::size_t dims,
                                                 std::int32_t* sums) noexcept {
  __m512i sum[4];
  ASTRAWEAVE_UNROLL
  for (int r = 0; r < 4; ++r) sum[r] = _mm512_setzero_si512();
  std::size_t i = 0;
  for (; i + 64 <= dims; i += 64) {
    const __m512i q = _mm512_loadu_si512(query + i);
    ASTRAWEAVE_UNROLL
    for (int r = 0; r < 4; ++r) {
      sum[r] = add_products(sum[r], _mm512_loadu_si512(row[r] + i), q);
    }
  }
  if (i < dims) {
    const __mmask64 mask = ~std::uint64_t{0} >> (64 - (dims - i));
    const __m512i q = _mm512_maskz_loadu_epi8(mask, query + i);
    ASTRAWEAVE_UNROLL
    for (int r = 0; r < 4; ++r) {
      sum[r] = add_products(sum[r], _mm512_maskz_loadu_epi8(mask, row[r] + i), q);
    }
  }
  _mm_storeu_si128(reinterpret_cast<__m128i*>(sums), totals(sum));
}

// Four rows for one query, one row after the other: as the memory lies, which is what such a scan
// waits for.
ASTRAWEAVE_TARGET_AVX512 inline __m128i score_one(const std::int8_t* query,
                                                  const std::uint8_t* rows, std::size_t stride,
                                                  std::size_t padded) noexcept {
  __m512i sum[4];
  ASTRAWEAVE_UNROLL
  for (int r = 0; r < 4; ++r) {
    const std::uint8_t* row = rows + static_cast<std::size_t>(r) * stride;
    sum[r] = _mm512_setzero_si512();
    for (std::size_t i = 0; i < padded; i += 64) {
      sum[r] = add_products(sum[r], _mm512_loadu_si512(row + i), _mm512_loadu_si512(query + i));
    }
  }
  return totals(sum);
}

// Four rows for four queries; every part of either is loaded once.
ASTRAWEAVE_TARGET_AVX512 inline void score_four(const std::int8_t* const* query,
                                                const std::uint8_t* rows, std::size_t stride,
                                                std::size_t padded, __m128i* sums) noexcept {
  __m512i sum[16];
  ASTRAWEAVE_UNROLL
  for (int i = 0; i < 16; ++i) sum[i] = _mm512_setzero_si512();
  for (std::size_t i = 0; i < padded; i += 64) {
    __m512i codes[4];
    ASTRAWEAVE_UNROLL
    for (int r = 0; r < 4; ++r) {
      codes[r] = _mm512_loadu_si512(rows + static_cast<std::size_t>(r) * stride + i);
    }
    ASTRAWEAVE_UNROLL
    for (int q = 0; q < 4; ++q) {
      const __m512i numbers = _mm512_loadu_si512(query[q] + i);
      ASTRAWEAVE_UNROLL
      for (int r = 0; r < 4; ++r) {
        sum[q * 4 + r] = add_products(sum[q * 4 + r], codes[r], numbers);
      }
    }
  }
  ASTRAWEAVE_UNROLL
  for (std::size_t q = 0; q < 4; ++q) sums[q] = totals(sum + q * 4);
}

ASTRAWEAVE_TARGET_AVX512 void scan_one(const CodeQuery& query, const std::uint8_t* rows,
                                       std::size_t stride, std::size_t n,
                                       std::int32_t* sums) noexcept {
  const std::size_t padded = query.blocks() * kCodeBlock;
  std::size_t r = 0;
  for (; r + 4 <= n; r += 4) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(sums + r),
                     score_one(query.numbers(), rows + r * stride, stride, padded));
  }
  for (; r < n; ++r) {  // the same row four times over
    sums[r] = _mm_cvtsi128_si32(score_one(query.numbers(), rows + r * stride, 0, padded));
  }
}

ASTRAWEAVE_TARGET_AVX512 void scan_four(const CodeQuery* queries, const std::uint8_t* rows,
                                        std::size_t stride, std::size_t n,
                                        std::int32_t* sums) noexcept {
  const std::int8_t* query[4];
  for (int q = 0; q < 4; ++q) query[q] = queries[q].numbers();
  const std::size_t padded = queries[0].blocks() * kCodeBlock;
  __m128i four[4];
  std::size_t r = 0;
  for (; r + 4 <= n; r += 4) {
    score_four(query, rows + r * stride, stride, padded, four);
    for (std::size_t q = 0; q < 4; ++q) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(sums + q * n + r), four[q]);
    }
  }
  for (; r < n; ++r) {  // the same row four times over
    score_four(query, rows + r * stride, 0, padded, four);
    for (std::size_t q = 0; q < 4; ++q) sums[q * n + r] = _mm_cvtsi128_si32(four[q]);
  }
}

}  // namespace

ASTRAWEAVE_TARGET_AVX512 void gather_codes_avx512(const std::int8_t* query,
                                                  const std::uint8_t* rows, std::size_t stride,
                                                  const std::uint32_t* slots, std::size_t n,
                                                  std::size_t dims, std::int32_t* sums) noexcept {
  for (std::size_t i = 0; i < n; i += 4) {
    const std::uint8_t* row[4];
    for (std::size_t r = 0; r < 4; ++r) {
      row[r] = rows + slots[i + r < n ? i + r : n - 1] * stride;
    }
    if (i + 4 <= n) {
      gather_four(query, row, dims, sums + i);
    } else {
      std::int32_t last[4];
      gather_four(query, row, dims, last);
      for (std::size_t r = 0; i + r < n; ++r) sums[i + r] = last[r];
    }
  }
}

void scan_codes_avx512(const CodeQuery* queries, std::size_t m, const std::uint8_t* rows,
                       std::size_t stride, std::size_t n, std::int32_t* sums) noexcept {
  std::size_t q = 0;
  for (; q + 4 <= m; q += 4) scan_four(queries + q, rows, stride, n, sums + q * n);
  for (; q < m; ++q) scan_one(queries[q], rows, stride, n, sums + q * n);
}

}  // namespace astraweave::simd
#endif
