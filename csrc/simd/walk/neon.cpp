#include "simd/target.hpp"
#include "simd/walk/walk.hpp"

#if ASTRAWEAVE_ARM64
#include <arm_neon.h>

namespace astraweave::simd {

void walk_codes_neon(const std::int8_t* query, std::int32_t, const std::uint8_t* const* rows,
                     std::size_t n, std::size_t dims, std::int32_t* sums) noexcept {
  const uint8x16_t middle = vdupq_n_u8(128);
  for (std::size_t r = 0; r < n; ++r) {
    int32x4_t low = vdupq_n_s32(0);
    int32x4_t high = vdupq_n_s32(0);
    for (std::size_t i = 0; i < dims; i += 16) {
      const int8x16_t q = vld1q_s8(query + i);
      const int8x16_t number = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(rows[r] + i), middle));
      low = vpadalq_s16(low, vmull_s8(vget_low_s8(q), vget_low_s8(number)));
      high = vpadalq_s16(high, vmull_high_s8(q, number));
    }
    sums[r] = vaddvq_s32(vaddq_s32(low, high));
  }
}

std::int32_t centre_codes_neon(const std::uint8_t* codes, std::size_t dims,
                               std::int8_t* numbers) noexcept {
  const uint8x16_t middle = vdupq_n_u8(128);
  int32x4_t sum = vdupq_n_s32(0);
  for (std::size_t i = 0; i < dims; i += 16) {
    const int8x16_t number = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(codes + i), middle));
    vst1q_s8(numbers + i, number);
    sum = vpadalq_s16(sum, vpaddlq_s8(number));
  }
  return vaddvq_s32(sum);
}

}  // namespace astraweave::simd
#endif
