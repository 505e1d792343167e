#include "simd/product/product.hpp"
#include "simd/product/records.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_ARM64
#include <arm_neon.h>

namespace astraweave::simd {
namespace {

constexpr std::size_t kQuarters = 4;  // of a panel's 16 outputs, four lanes each

// sum += codes - 128 times numbers: the products of four outputs with the same four numbers. One
// product and its neighbour fit into 16 bits with room to spare.
struct Sums {
  int32x4_t low = vdupq_n_s32(0), high = vdupq_n_s32(0);  // of two outputs each, in pairs

  void add(int8x16_t codes, int8x8_t numbers) noexcept {
    low = vpadalq_s16(low, vmull_s8(vget_low_s8(codes), numbers));
    high = vpadalq_s16(high, vmull_s8(vget_high_s8(codes), numbers));
  }
  int32x4_t totals() const noexcept { return vpaddq_s32(low, high); }
};

int8x8_t four(const std::int8_t* codes) noexcept {
  return vreinterpret_s8_s32(vdup_n_s32(as_lane(codes)));
}

// kRows rows times a quarter of a panel.
template <std::size_t kRows>
void multiply_quarter(const std::uint8_t* codes, const float* scales, const std::uint8_t* zeros,
                      std::size_t blocks, const std::byte* rows, std::size_t row_bytes, float* out,
                      std::size_t stride, bool add) noexcept {
  const uint8x16_t middle = vdupq_n_u8(0x80);
  float32x4_t sum[kRows];
  ASTRAWEAVE_UNROLL
  for (std::size_t r = 0; r < kRows; ++r) sum[r] = vdupq_n_f32(0);
  for (std::size_t b = 0; b < blocks; ++b) {
    const ByteRecord* block[kRows];
    Sums dot[kRows];
    ASTRAWEAVE_UNROLL
    for (std::size_t r = 0; r < kRows; ++r) {
      block[r] = record<ByteRecord>(rows + r * row_bytes, b);
    }
    ASTRAWEAVE_UNROLL
    for (std::size_t g = 0; g < 8; ++g) {
      const int8x16_t code = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(codes + g * 64), middle));
      ASTRAWEAVE_UNROLL
      for (std::size_t r = 0; r < kRows; ++r) dot[r].add(code, four(block[r]->codes + g * 4));
    }
    std::int32_t offsets[4];
    for (std::size_t lane = 0; lane < 4; ++lane) offsets[lane] = zeros[lane] - 128;
    const int32x4_t zero = vld1q_s32(offsets);
    const float32x4_t scale = vld1q_f32(scales);
    ASTRAWEAVE_UNROLL
    for (std::size_t r = 0; r < kRows; ++r) {
      const int32x4_t total = vmlaq_n_s32(dot[r].totals(), zero, block[r]->minus_sum);
      sum[r] = vfmaq_f32(sum[r], vcvtq_f32_s32(total), vmulq_n_f32(scale, block[r]->scale));
    }
    codes += kPanelBlockCodes;
    scales += kPanelOutputs;
    zeros += kPanelOutputs;
  }
  ASTRAWEAVE_UNROLL
  for (std::size_t r = 0; r < kRows; ++r) {
    float* to = out + r * stride;
    vst1q_f32(to, add ? vaddq_f32(vld1q_f32(to), sum[r]) : sum[r]);
  }
}

}  // namespace

std::size_t quantised_bytes_neon(std::size_t columns) noexcept {
  return quantised_bytes_scalar(columns);
}

void quantise_row_neon(const float* x, std::size_t first, std::size_t columns,
                       std::byte* row) noexcept {
  quantise_row_scalar(x, first, columns, row);
}

void multiply_panels_neon(const Panels& weights, std::size_t first, std::size_t count,
                          const std::byte* rows, std::size_t row_bytes, std::size_t n, float* out,
                          std::size_t stride, bool add) noexcept {
  for (std::size_t p = first; p < first + count; ++p, out += kPanelOutputs) {
    const auto times = [&](auto multiply, std::size_t r) {
      for (std::size_t q = 0; q < kQuarters; ++q) {
        multiply(weights.codes(p) + q * 16, weights.scales(p) + q * 4, weights.zeros(p) + q * 4,
                 weights.blocks(), rows + r * row_bytes, row_bytes, out + r * stride + q * 4,
                 stride, add);
      }
    };
    std::size_t r = 0;
    for (; r + 4 <= n; r += 4) times(multiply_quarter<4>, r);
    if (r + 2 <= n) times(multiply_quarter<2>, r), r += 2;
    if (r < n) times(multiply_quarter<1>, r);
  }
}

}  // namespace astraweave::simd
#endif
