#include "simd/codes/codes.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_ARM64
#include <arm_neon.h>

namespace astraweave::simd {
namespace {

// Two products of numbers from -128 to 127 by -127 to 127 fit into 16 bits.
void gather_four(const std::int8_t* query, std::int32_t query_sum, const std::uint8_t* const* row,
                 std::size_t dims, std::int32_t* sums) noexcept {
  const uint8x16_t middle = vdupq_n_u8(0x80);
  int32x4_t sum[4];
  ASTRAWEAVE_UNROLL
  for (int r = 0; r < 4; ++r) sum[r] = vdupq_n_s32(0);
  std::size_t i = 0;
  for (; i + 16 <= dims; i += 16) {
    const int8x16_t q = vld1q_s8(query + i);
    ASTRAWEAVE_UNROLL
    for (int r = 0; r < 4; ++r) {
      const int8x16_t number = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(row[r] + i), middle));
      const int16x8_t low = vmull_s8(vget_low_s8(number), vget_low_s8(q));
      sum[r] = vpadalq_s16(sum[r], vmlal_s8(low, vget_high_s8(number), vget_high_s8(q)));
    }
  }
  ASTRAWEAVE_UNROLL
  for (int r = 0; r < 4; ++r) sums[r] = vaddvq_s32(sum[r]) + 128 * query_sum;
  for (; i < dims; ++i) {
    ASTRAWEAVE_UNROLL
    for (int r = 0; r < 4; ++r) sums[r] += query[i] * row[r][i];
  }
}

// Eight products by -31 to 31 fit into 16 bits.
std::int32_t score(const CodeQuery& query, const std::uint8_t* row) noexcept {
  const uint8x16_t middle = vdupq_n_u8(0x80);
  int32x4_t sum = vdupq_n_s32(0);
  for (std::size_t i = 0; i < query.blocks() * kCodeBlock; i += kCodeBlock) {
    int16x8_t some = vdupq_n_s16(0);
    ASTRAWEAVE_UNROLL
    for (std::size_t part = 0; part < kCodeBlock; part += 16) {
      const int8x16_t q = vld1q_s8(query.numbers() + i + part);
      const int8x16_t number = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(row + i + part), middle));
      some = vmlal_s8(some, vget_low_s8(number), vget_low_s8(q));
      some = vmlal_s8(some, vget_high_s8(number), vget_high_s8(q));
    }
    sum = vpadalq_s16(sum, some);
  }
  return vaddvq_s32(sum) + 128 * query.sum();
}

}  // namespace

void gather_codes_neon(const std::int8_t* query, const std::uint8_t* rows, std::size_t stride,
                       const std::uint32_t* slots, std::size_t n, std::size_t dims,
                       std::int32_t* sums) noexcept {
  std::int32_t query_sum = 0;  // of what gather_four takes 16 at a time
  for (std::size_t i = 0; i < dims / 16 * 16; ++i) query_sum += query[i];
  for (std::size_t i = 0; i < n; i += 4) {
    const std::uint8_t* row[4];
    for (std::size_t r = 0; r < 4; ++r) {
      row[r] = rows + slots[i + r < n ? i + r : n - 1] * stride;
    }
    std::int32_t four[4];
    gather_four(query, query_sum, row, dims, four);
    for (std::size_t r = 0; r < 4 && i + r < n; ++r) sums[i + r] = four[r];
  }
}

void scan_codes_neon(const CodeQuery* queries, std::size_t m, const std::uint8_t* rows,
                     std::size_t stride, std::size_t n, std::int32_t* sums) noexcept {
  for (std::size_t q = 0; q < m; ++q) {
    for (std::size_t r = 0; r < n; ++r) sums[q * n + r] = score(queries[q], rows + r * stride);
  }
}

}  // namespace astraweave::simd
#endif
