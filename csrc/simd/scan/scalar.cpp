#include "simd/dot/dot.hpp"
#include "simd/half/half.hpp"
#include "simd/l2/l2.hpp"
#include "simd/scan/scan.hpp"

namespace astraweave::simd {
namespace {

template <bool kL2>
float score(const float* query, const std::uint16_t* row, std::size_t n) noexcept {
  float sum[4] = {0, 0, 0, 0};
  for (std::size_t i = 0; i < n; ++i) {
    const float number = from_half(row[i]);
    const float difference = query[i] - number;
    sum[i % 4] += kL2 ? difference * difference : query[i] * number;
  }
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

}  // namespace

void scan_dot_f32_scalar(const float* query, const float* rows, std::size_t stride, std::size_t n,
                         std::size_t dims, float* scores) noexcept {
  for (std::size_t r = 0; r < n; ++r) scores[r] = dot_f32_scalar(query, rows + r * stride, dims);
}

void scan_l2_f32_scalar(const float* query, const float* rows, std::size_t stride, std::size_t n,
                        std::size_t dims, float* scores) noexcept {
  for (std::size_t r = 0; r < n; ++r) scores[r] = l2_f32_scalar(query, rows + r * stride, dims);
}

void scan_dot_f16_scalar(const float* query, const std::uint16_t* rows, std::size_t stride,
                         std::size_t n, std::size_t dims, float* scores) noexcept {
  for (std::size_t r = 0; r < n; ++r) scores[r] = score<false>(query, rows + r * stride, dims);
}

void scan_l2_f16_scalar(const float* query, const std::uint16_t* rows, std::size_t stride,
                        std::size_t n, std::size_t dims, float* scores) noexcept {
  for (std::size_t r = 0; r < n; ++r) scores[r] = score<true>(query, rows + r * stride, dims);
}

}  // namespace astraweave::simd
