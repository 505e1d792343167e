#include <cstring>

#include "simd/classes/classes.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_ARM64
#include <arm_neon.h>

namespace astraweave::simd {
namespace {

// The top bits of 64 bytes that are all ones or all zeros, the first byte's lowest.
std::uint64_t gathered(const uint8x16_t (&set)[4]) noexcept {
  static constexpr std::uint8_t kWeights[16] = {1, 2, 4, 8, 16, 32, 64, 128,
                                                1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x16_t weights = vld1q_u8(kWeights);
  const uint8x16_t first = vpaddq_u8(vandq_u8(set[0], weights), vandq_u8(set[1], weights));
  const uint8x16_t second = vpaddq_u8(vandq_u8(set[2], weights), vandq_u8(set[3], weights));
  const uint8x16_t pairs = vpaddq_u8(first, second);
  return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(pairs, pairs)), 0);
}

}  // namespace

void byte_classes_neon(const char* text, std::size_t n, ClassMasks masks) noexcept {
  const uint8x16_t fold = vdupq_n_u8(0x20), many = vdupq_n_u8(26);
  for (std::size_t word = 0; word * 64 < n; ++word) {
    std::uint8_t rest[64] = {};
    const auto* from = reinterpret_cast<const std::uint8_t*>(text) + word * 64;
    if (n - word * 64 < 64) {
      std::memcpy(rest, from, n - word * 64);
      from = rest;
    }
    uint8x16_t letters[4], capitals[4], high[4];
    for (int i = 0; i < 4; ++i) {
      const uint8x16_t bytes = vld1q_u8(from + 16 * i);
      letters[i] = vcltq_u8(vsubq_u8(vorrq_u8(bytes, fold), vdupq_n_u8('a')), many);
      capitals[i] = vcltq_u8(vsubq_u8(bytes, vdupq_n_u8('A')), many);
      high[i] = vcgeq_u8(bytes, vdupq_n_u8(0x80));
    }
    masks.letters[word] = gathered(letters);
    masks.capitals[word] = gathered(capitals);
    masks.high[word] = gathered(high);
  }
}

}  // namespace astraweave::simd
#endif
