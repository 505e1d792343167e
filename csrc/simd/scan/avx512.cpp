#include "simd/scan/scan.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86
#include <immintrin.h>

namespace astraweave::simd {
namespace {

template <bool kL2>
ASTRAWEAVE_TARGET_AVX512 inline __m512 add(__m512 query, __m512 row, __m512 sum) noexcept {
  if constexpr (kL2) {
    const __m512 difference = _mm512_sub_ps(query, row);
    return _mm512_fmadd_ps(difference, difference, sum);
  } else {
    return _mm512_fmadd_ps(query, row, sum);
  }
}

ASTRAWEAVE_TARGET_AVX512 inline __m512 load(const float* from) noexcept {
  return _mm512_loadu_ps(from);
}

ASTRAWEAVE_TARGET_AVX512 inline __m512 load(const std::uint16_t* from) noexcept {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}

ASTRAWEAVE_TARGET_AVX512 inline __m512 load_some(__mmask16 mask, const float* from) noexcept {
  return _mm512_maskz_loadu_ps(mask, from);
}

ASTRAWEAVE_TARGET_AVX512 inline __m512 load_some(__mmask16 mask,
                                                 const std::uint16_t* from) noexcept {
  return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, from));
}

// kRows rows at once: each part of the query is loaded once, and every row adds in the same order
// however many rows go together.
template <bool kL2, int kRows, class T>
ASTRAWEAVE_TARGET_AVX512 inline void score_rows(const float* query, const T* rows,
                                                std::size_t stride, std::size_t dims,
                                                float* scores) noexcept {
  __m512 even[kRows];
  __m512 odd[kRows];
  ASTRAWEAVE_UNROLL
  for (int r = 0; r < kRows; ++r) even[r] = odd[r] = _mm512_setzero_ps();
  std::size_t i = 0;
  for (; i + 32 <= dims; i += 32) {
    const __m512 q0 = load(query + i);
    const __m512 q1 = load(query + i + 16);
    ASTRAWEAVE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const T* row = rows + static_cast<std::size_t>(r) * stride + i;
      even[r] = add<kL2>(q0, load(row), even[r]);
      odd[r] = add<kL2>(q1, load(row + 16), odd[r]);
    }
  }
  for (; i < dims; i += 16) {
    const std::size_t left = dims - i;
    const __mmask16 mask = left >= 16 ? 0xffff : static_cast<__mmask16>((1u << left) - 1);
    const __m512 q = load_some(mask, query + i);
    ASTRAWEAVE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const T* row = rows + static_cast<std::size_t>(r) * stride + i;
      even[r] = add<kL2>(q, load_some(mask, row), even[r]);
    }
  }
  ASTRAWEAVE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    scores[r] = _mm512_reduce_add_ps(_mm512_add_ps(even[r], odd[r]));
  }
}

template <bool kL2, class T>
ASTRAWEAVE_TARGET_AVX512 void scan(const float* query, const T* rows, std::size_t stride,
                                   std::size_t n, std::size_t dims, float* scores) noexcept {
  std::size_t r = 0;
  for (; r + 4 <= n; r += 4) {
    score_rows<kL2, 4>(query, rows + r * stride, stride, dims, scores + r);
  }
  for (; r < n; ++r) score_rows<kL2, 1>(query, rows + r * stride, stride, dims, scores + r);
}

}  // namespace

void scan_dot_f32_avx512(const float* query, const float* rows, std::size_t stride, std::size_t n,
                         std::size_t dims, float* scores) noexcept {
  scan<false>(query, rows, stride, n, dims, scores);
}

void scan_l2_f32_avx512(const float* query, const float* rows, std::size_t stride, std::size_t n,
                        std::size_t dims, float* scores) noexcept {
  scan<true>(query, rows, stride, n, dims, scores);
}

void scan_dot_f16_avx512(const float* query, const std::uint16_t* rows, std::size_t stride,
                         std::size_t n, std::size_t dims, float* scores) noexcept {
  scan<false>(query, rows, stride, n, dims, scores);
}

void scan_l2_f16_avx512(const float* query, const std::uint16_t* rows, std::size_t stride,
                        std::size_t n, std::size_t dims, float* scores) noexcept {
  scan<true>(query, rows, stride, n, dims, scores);
}

}  // namespace astraweave::simd
#endif
