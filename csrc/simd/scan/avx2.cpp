#include "simd/scan/scan.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86
#include <immintrin.h>

namespace astraweave::simd {
namespace {

template <bool kL2>
ASTRAWEAVE_TARGET_AVX2 inline __m256 add(__m256 query, __m256 row, __m256 sum) noexcept {
  if constexpr (kL2) {
    const __m256 difference = _mm256_sub_ps(query, row);
    return _mm256_fmadd_ps(difference, difference, sum);
  } else {
    return _mm256_fmadd_ps(query, row, sum);
  }
}

ASTRAWEAVE_TARGET_AVX2 inline float total(__m256 sum) noexcept {
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  half = _mm_add_ss(half, _mm_movehdup_ps(half));
  return _mm_cvtss_f32(half);
}

// The first `left` (0 to 8) floats, zeros behind them.
ASTRAWEAVE_TARGET_AVX2 inline __m256 load_first(const float* from, std::size_t left) noexcept {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(left)), lanes);
  return _mm256_maskload_ps(from, mask);
}

ASTRAWEAVE_TARGET_AVX2 inline __m256 load(const float* from) noexcept {
  return _mm256_loadu_ps(from);
}

ASTRAWEAVE_TARGET_AVX2 inline __m256 load(const std::uint16_t* from) noexcept {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

ASTRAWEAVE_TARGET_AVX2 inline __m256 load_first(const std::uint16_t* from,
                                                std::size_t left) noexcept {
  std::uint16_t some[8] = {};
  for (std::size_t i = 0; i < left; ++i) some[i] = from[i];
  return load(some);
}

// kRows rows at once: each part of the query is loaded once, and every row adds in the same order
// however many rows go together.
template <bool kL2, int kRows, class T>
ASTRAWEAVE_TARGET_AVX2 inline void score_rows(const float* query, const T* rows, std::size_t stride,
                                              std::size_t dims, float* scores) noexcept {
  __m256 even[kRows];
  __m256 odd[kRows];
  ASTRAWEAVE_UNROLL
  for (int r = 0; r < kRows; ++r) even[r] = odd[r] = _mm256_setzero_ps();
  std::size_t i = 0;
  for (; i + 16 <= dims; i += 16) {
    const __m256 q0 = load(query + i);
    const __m256 q1 = load(query + i + 8);
    ASTRAWEAVE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const T* row = rows + static_cast<std::size_t>(r) * stride + i;
      even[r] = add<kL2>(q0, load(row), even[r]);
      odd[r] = add<kL2>(q1, load(row + 8), odd[r]);
    }
  }
  for (; i < dims; i += 8) {
    const std::size_t left = dims - i < 8 ? dims - i : 8;
    const __m256 q = load_first(query + i, left);
    ASTRAWEAVE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const T* row = rows + static_cast<std::size_t>(r) * stride + i;
      even[r] = add<kL2>(q, load_first(row, left), even[r]);
    }
  }
  ASTRAWEAVE_UNROLL
  for (int r = 0; r < kRows; ++r) scores[r] = total(_mm256_add_ps(even[r], odd[r]));
}

template <bool kL2, class T>
ASTRAWEAVE_TARGET_AVX2 void scan(const float* query, const T* rows, std::size_t stride,
                                 std::size_t n, std::size_t dims, float* scores) noexcept {
  std::size_t r = 0;
  for (; r + 4 <= n; r += 4) {
    score_rows<kL2, 4>(query, rows + r * stride, stride, dims, scores + r);
  }
  for (; r < n; ++r) score_rows<kL2, 1>(query, rows + r * stride, stride, dims, scores + r);
}

}  // namespace

void scan_dot_f32_avx2(const float* query, const float* rows, std::size_t stride, std::size_t n,
                       std::size_t dims, float* scores) noexcept {
  scan<false>(query, rows, stride, n, dims, scores);
}

void scan_l2_f32_avx2(const float* query, const float* rows, std::size_t stride, std::size_t n,
                      std::size_t dims, float* scores) noexcept {
  scan<true>(query, rows, stride, n, dims, scores);
}

void scan_dot_f16_avx2(const float* query, const std::uint16_t* rows, std::size_t stride,
                       std::size_t n, std::size_t dims, float* scores) noexcept {
  scan<false>(query, rows, stride, n, dims, scores);
}

void scan_l2_f16_avx2(const float* query, const std::uint16_t* rows, std::size_t stride,
                      std::size_t n, std::size_t dims, float* scores) noexcept {
  scan<true>(query, rows, stride, n, dims, scores);
}

}  // namespace astraweave::simd
#endif
