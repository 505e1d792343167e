#include "simd/pick/pick.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86
#include <immintrin.h>

#include <bit>

namespace astraweave::simd {
namespace {

ASTRAWEAVE_TARGET_AVX512 inline __m512 load(__mmask16 mask, const float* from) noexcept {
  return _mm512_maskz_loadu_ps(mask, from);
}

// The rows' inner products.
template <class Pick>
ASTRAWEAVE_TARGET_AVX512 inline __m512 products(__mmask16 mask, const std::int32_t* sums,
                                                const float* scale, const Pick& pick) noexcept {
  const __m512i sum =
      _mm512_sub_epi32(_mm512_maskz_loadu_epi32(mask, sums), _mm512_set1_epi32(pick.bias));
  return _mm512_mul_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), load(mask, scale)),
                       _mm512_set1_ps(pick.query_scale));
}

ASTRAWEAVE_TARGET_AVX512 inline __mmask16 failing(__mmask16 mask, const std::int32_t* sums,
                                                  const CodeRowSpan& rows, std::size_t r,
                                                  const DotPick& pick) noexcept {
  const __m512 slack = _mm512_fmadd_ps(
      _mm512_set1_ps(pick.residual_weight), load(mask, rows.residual + r),
      _mm512_mul_ps(_mm512_set1_ps(pick.length_weight), load(mask, rows.length + r)));
  const __m512 most = _mm512_add_ps(products(mask, sums + r, rows.scale + r, pick), slack);
  return _mm512_cmp_ps_mask(most, _mm512_set1_ps(pick.threshold), _CMP_LT_OQ);
}

ASTRAWEAVE_TARGET_AVX512 inline __mmask16 failing(__mmask16 mask, const std::int32_t* sums,
                                                  const CodeRowSpan& rows, std::size_t r,
                                                  const L2Pick& pick) noexcept {
  const __m512 length = load(mask, rows.length + r);
  const __m512 squares = _mm512_fmadd_ps(_mm512_set1_ps(pick.shrink), _mm512_mul_ps(length, length),
                                         _mm512_set1_ps(pick.base));
  const __m512 least = _mm512_add_ps(products(mask, sums + r, rows.scale + r, pick), squares);
  const __m512 reach = _mm512_add_ps(_mm512_set1_ps(pick.threshold), load(mask, rows.residual + r));
  return _mm512_cmp_ps_mask(least, _mm512_mul_ps(reach, reach), _CMP_GT_OQ);
}

template <class Pick>
ASTRAWEAVE_TARGET_AVX512 inline std::size_t pick_rows(const std::int32_t* sums, std::size_t n,
                                                      const CodeRowSpan& rows, const Pick& pick,
                                                      std::uint32_t* picked) noexcept {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  std::size_t count = 0;
  for (std::size_t r = 0; r < n; r += 16) {
    const __mmask16 mask = n - r >= 16 ? 0xffff : static_cast<__mmask16>((1u << (n - r)) - 1);
    const auto passing = static_cast<__mmask16>(~failing(mask, sums, rows, r, pick) & mask);
    if (passing == 0) continue;
    const __m512i places = _mm512_add_epi32(lanes, _mm512_set1_epi32(static_cast<int>(r)));
    // Compressed in the register: compressing to memory is slow on some processors.
    const auto left = static_cast<unsigned>(std::popcount(static_cast<unsigned>(passing)));
    _mm512_mask_storeu_epi32(picked + count, static_cast<__mmask16>((1u << left) - 1),
                             _mm512_maskz_compress_epi32(passing, places));
    count += left;
  }
  return count;
}

}  // namespace

ASTRAWEAVE_TARGET_AVX512 std::size_t pick_dot_avx512(const std::int32_t* sums, std::size_t n,
                                                     const CodeRowSpan& rows, const DotPick& pick,
                                                     std::uint32_t* picked) noexcept {
  return pick_rows(sums, n, rows, pick, picked);
}

ASTRAWEAVE_TARGET_AVX512 std::size_t pick_l2_avx512(const std::int32_t* sums, std::size_t n,
                                                    const CodeRowSpan& rows, const L2Pick& pick,
                                                    std::uint32_t* picked) noexcept {
  return pick_rows(sums, n, rows, pick, picked);
}

}  // namespace astraweave::simd
#endif
