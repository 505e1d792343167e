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

template <typename Test>
std::uint64_t mask_of(const uint8x16_t (&bytes)[4], Test&& test) noexcept {
  const uint8x16_t set[4] = {test(bytes[0]), test(bytes[1]), test(bytes[2]), test(bytes[3])};
  return gathered(set);
}

uint8x16_t within(uint8x16_t bytes, std::uint8_t first, std::uint8_t count) noexcept {
  return vcltq_u8(vsubq_u8(bytes, vdupq_n_u8(first)), vdupq_n_u8(count));
}

}  // namespace

void classify_bytes_neon(const char* text, std::size_t n, ByteClasses* blocks) noexcept {
  for (std::size_t start = 0; start < n; start += 64) {
    std::uint8_t rest[64] = {};
    const auto* from = reinterpret_cast<const std::uint8_t*>(text) + start;
    if (n - start < 64) {
      std::memcpy(rest, from, n - start);
      from = rest;
    }
    const uint8x16_t bytes[4] = {vld1q_u8(from), vld1q_u8(from + 16), vld1q_u8(from + 32),
                                 vld1q_u8(from + 48)};
    const uint8x16_t fold = vdupq_n_u8(0x20);
    blocks[start / 64] = {
        .letters = mask_of(bytes, [&](uint8x16_t b) { return within(vorrq_u8(b, fold), 'a', 26); }),
        .capitals = mask_of(bytes, [](uint8x16_t b) { return within(b, 'A', 26); }),
        .digits = mask_of(bytes, [](uint8x16_t b) { return within(b, '0', 10); }),
        .spaces = mask_of(bytes, [](uint8x16_t b) { return vceqq_u8(b, vdupq_n_u8(' ')); }),
        .apostrophes = mask_of(bytes, [](uint8x16_t b) { return vceqq_u8(b, vdupq_n_u8('\'')); }),
        .newlines = mask_of(bytes, [](uint8x16_t b) { return vceqq_u8(b, vdupq_n_u8('\n')); }),
        .others = mask_of(bytes,
                          [](uint8x16_t b) {
                            return vorrq_u8(within(b, 0x09, 5), vcgeq_u8(b, vdupq_n_u8(0x80)));
                          }),
    };
  }
}

}  // namespace astraweave::simd
#endif
