#include "simd/pick/pick.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86
#include <immintrin.h>

#include <bit>

namespace astraweave::simd {
namespace {

// The inner products of eight rows.
template <class Pick>
ASTRAWEAVE_TARGET_AVX2 inline __m256 products(const std::int32_t* sums, const float* scale,
                                              const Pick& pick) noexcept {
  const __m256i sum = _mm256_sub_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums)),
                                       _mm256_set1_epi32(pick.bias));
  return _mm256_mul_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_loadu_ps(scale)),
                       _mm256_set1_ps(pick.query_scale));
}

ASTRAWEAVE_TARGET_AVX2 inline __m256 failing(const std::int32_t* sums, const CodeRowSpan& rows,
                                             std::size_t r, const DotPick& pick) noexcept {
  const __m256 slack = _mm256_fmadd_ps(
      _mm256_set1_ps(pick.residual_weight), _mm256_loadu_ps(rows.residual + r),
      _mm256_mul_ps(_mm256_set1_ps(pick.length_weight), _mm256_loadu_ps(rows.length + r)));
  const __m256 most = _mm256_add_ps(products(sums + r, rows.scale + r, pick), slack);
  return _mm256_cmp_ps(most, _mm256_set1_ps(pick.threshold), _CMP_LT_OQ);
}

ASTRAWEAVE_TARGET_AVX2 inline __m256 failing(const std::int32_t* sums, const CodeRowSpan& rows,
                                             std::size_t r, const L2Pick& pick) noexcept {
  const __m256 length = _mm256_loadu_ps(rows.length + r);
  const __m256 squares = _mm256_fmadd_ps(_mm256_set1_ps(pick.shrink), _mm256_mul_ps(length, length),
                                         _mm256_set1_ps(pick.base));
  const __m256 least = _mm256_add_ps(products(sums + r, rows.scale + r, pick), squares);
  const __m256 reach =
      _mm256_add_ps(_mm256_set1_ps(pick.threshold), _mm256_loadu_ps(rows.residual + r));
  return _mm256_cmp_ps(least, _mm256_mul_ps(reach, reach), _CMP_GT_OQ);
}

// All the eights of n; what is left over is the scalar kernel's.
template <class Pick>
ASTRAWEAVE_TARGET_AVX2 inline std::size_t pick_rows(const std::int32_t* sums, std::size_t n,
                                                    const CodeRowSpan& rows, const Pick& pick,
                                                    std::uint32_t* picked) noexcept {
  std::size_t count = 0;
  for (std::size_t r = 0; r + 8 <= n; r += 8) {
    const __m256 out = failing(sums, rows, r, pick);
    unsigned passing = ~static_cast<unsigned>(_mm256_movemask_ps(out)) & 0xffu;
    for (; passing != 0; passing &= passing - 1) {
      picked[count++] =
          static_cast<std::uint32_t>(r) + static_cast<std::uint32_t>(std::countr_zero(passing));
    }
  }
  return count;
}

// The rest, behind the `count` places that were picked before.
template <class Pick, class Kernel>
inline std::size_t pick_rest(const std::int32_t* sums, std::size_t n, const CodeRowSpan& rows,
                             const Pick& pick, std::uint32_t* picked, std::size_t count,
                             Kernel kernel) noexcept {
  const std::size_t first = n / 8 * 8;
  if (first == n) return count;
  const CodeRowSpan rest{rows.scale + first, rows.residual + first, rows.length + first};
  const std::size_t more = kernel(sums + first, n - first, rest, pick, picked + count);
  for (std::size_t i = count; i < count + more; ++i) {
    picked[i] += static_cast<std::uint32_t>(first);
  }
  return count + more;
}

}  // namespace

ASTRAWEAVE_TARGET_AVX2 std::size_t pick_dot_avx2(const std::int32_t* sums, std::size_t n,
                                                 const CodeRowSpan& rows, const DotPick& pick,
                                                 std::uint32_t* picked) noexcept {
  const std::size_t count = pick_rows(sums, n, rows, pick, picked);
  return pick_rest(sums, n, rows, pick, picked, count, pick_dot_scalar);
}

ASTRAWEAVE_TARGET_AVX2 std::size_t pick_l2_avx2(const std::int32_t* sums, std::size_t n,
                                                const CodeRowSpan& rows, const L2Pick& pick,
                                                std::uint32_t* picked) noexcept {
  const std::size_t count = pick_rows(sums, n, rows, pick, picked);
  return pick_rest(sums, n, rows, pick, picked, count, pick_l2_scalar);
}

}  // namespace astraweave::simd
#endif
