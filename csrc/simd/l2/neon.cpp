#include "simd/l2/l2.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_ARM64
#include <arm_neon.h>

namespace astraweave::simd {

float l2_f32_neon(const float* a, const float* b, std::size_t n) noexcept {
  float32x4_t sum0 = vdupq_n_f32(0);
  float32x4_t sum1 = vdupq_n_f32(0);
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const float32x4_t d0 = vsubq_f32(vld1q_f32(a + i), vld1q_f32(b + i));
    const float32x4_t d1 = vsubq_f32(vld1q_f32(a + i + 4), vld1q_f32(b + i + 4));
    sum0 = vfmaq_f32(sum0, d0, d0);
    sum1 = vfmaq_f32(sum1, d1, d1);
  }
  float result = vaddvq_f32(vaddq_f32(sum0, sum1));
  for (; i < n; ++i) result += (a[i] - b[i]) * (a[i] - b[i]);
  return result;
}

}  // namespace astraweave::simd
#endif
