// The words of wide/words.md for NEON on 64-bit ARM; included by neon.cpp files alone.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "simd/target.hpp"

#define ASTRAWEAVE_WIDE

namespace astraweave::simd {
namespace {

using Wide = float32x4_t;
constexpr std::size_t kWide = 4;
constexpr std::size_t kRegisters = 32;

inline Wide load(const float* from) noexcept { return vld1q_f32(from); }
inline void store(float* to, Wide x) noexcept { vst1q_f32(to, x); }
inline Wide spread(float x) noexcept { return vdupq_n_f32(x); }
inline Wide add(Wide a, Wide b) noexcept { return vaddq_f32(a, b); }
inline Wide subtract(Wide a, Wide b) noexcept { return vsubq_f32(a, b); }
inline Wide multiply(Wide a, Wide b) noexcept { return vmulq_f32(a, b); }
inline Wide divide(Wide a, Wide b) noexcept { return vdivq_f32(a, b); }
inline Wide multiply_add(Wide a, Wide b, Wide c) noexcept { return vfmaq_f32(c, a, b); }
inline Wide least(Wide x, Wide bound) noexcept { return vminnmq_f32(x, bound); }
inline Wide most(Wide x, Wide bound) noexcept { return vmaxnmq_f32(x, bound); }
inline Wide size_of(Wide x) noexcept { return vabsq_f32(x); }
inline Wide keep_from(Wide x, Wide tested, float bound) noexcept {
  const uint32x4_t kept = vcgeq_f32(tested, vdupq_n_f32(bound));
  return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(x), kept));
}
inline Wide drop_below(Wide x, Wide tested, float bound) noexcept {
  const uint32x4_t dropped = vcltq_f32(tested, vdupq_n_f32(bound));
  return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(x), dropped));
}
inline Wide nearest(Wide x) noexcept { return vrndnq_f32(x); }
inline Wide power_of_two(Wide whole) noexcept {
  const int32x4_t exponent = vaddq_s32(vcvtnq_s32_f32(whole), vdupq_n_s32(127));
  return vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23));
}
inline float sum_of(Wide x) noexcept { return vaddvq_f32(x); }
inline float largest_of(Wide x) noexcept { return vmaxnmvq_f32(x); }

inline Wide load_halves(const std::uint16_t* from) noexcept {
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from)));
}
inline void store_halves(std::uint16_t* to, Wide x) noexcept {
  vst1_u16(to, vreinterpret_u16_f16(vcvt_f16_f32(x)));
}
inline Wide load_codes(const std::int8_t* from) noexcept {
  std::int32_t four = 0;
  std::memcpy(&four, from, sizeof(four));
  const int16x8_t words = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)));
}
inline void store_codes(std::int8_t* to, Wide x) noexcept {
  const int16x4_t words = vqmovn_s32(vcvtnq_s32_f32(x));
  const int8x8_t codes = vqmovn_s16(vcombine_s16(words, words));
  const std::int32_t four = vget_lane_s32(vreinterpret_s32_s8(codes), 0);
  std::memcpy(to, &four, sizeof(four));
}

}  // namespace
}  // namespace astraweave::simd
