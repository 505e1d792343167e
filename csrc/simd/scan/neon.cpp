#include "simd/dot/dot.hpp"
#include "simd/half/half.hpp"
#include "simd/l2/l2.hpp"
#include "simd/scan/scan.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_ARM64
#include <arm_neon.h>

namespace astraweave::simd {
namespace {

template <bool kL2>
float32x4_t add(float32x4_t query, float32x4_t row, float32x4_t sum) noexcept {
  if constexpr (kL2) {
    const float32x4_t difference = vsubq_f32(query, row);
    return vfmaq_f32(sum, difference, difference);
  } else {
    return vfmaq_f32(sum, query, row);
  }
}

template <bool kL2>
float score(const float* query, const std::uint16_t* row, std::size_t n) noexcept {
  float32x4_t sum0 = vdupq_n_f32(0);
  float32x4_t sum1 = vdupq_n_f32(0);
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const float16x8_t half = vreinterpretq_f16_u16(vld1q_u16(row + i));
    sum0 = add<kL2>(vld1q_f32(query + i), vcvt_f32_f16(vget_low_f16(half)), sum0);
    sum1 = add<kL2>(vld1q_f32(query + i + 4), vcvt_f32_f16(vget_high_f16(half)), sum1);
  }
  float result = vaddvq_f32(vaddq_f32(sum0, sum1));
  for (; i < n; ++i) {
    const float number = from_half(row[i]);
    const float difference = query[i] - number;
    result += kL2 ? difference * difference : query[i] * number;
  }
  return result;
}

}  // namespace

void scan_dot_f32_neon(const float* query, const float* rows, std::size_t stride, std::size_t n,
                       std::size_t dims, float* scores) noexcept {
  for (std::size_t r = 0; r < n; ++r) scores[r] = dot_f32_neon(query, rows + r * stride, dims);
}

void scan_l2_f32_neon(const float* query, const float* rows, std::size_t stride, std::size_t n,
                      std::size_t dims, float* scores) noexcept {
  for (std::size_t r = 0; r < n; ++r) scores[r] = l2_f32_neon(query, rows + r * stride, dims);
}

void scan_dot_f16_neon(const float* query, const std::uint16_t* rows, std::size_t stride,
                       std::size_t n, std::size_t dims, float* scores) noexcept {
  for (std::size_t r = 0; r < n; ++r) scores[r] = score<false>(query, rows + r * stride, dims);
}

void scan_l2_f16_neon(const float* query, const std::uint16_t* rows, std::size_t stride,
                      std::size_t n, std::size_t dims, float* scores) noexcept {
  for (std::size_t r = 0; r < n; ++r) scores[r] = score<true>(query, rows + r * stride, dims);
}

}  // namespace astraweave::simd
#endif
