#include "simd/dot/dot.hpp"
#include "simd/l2/l2.hpp"
#include "simd/scan/scan.hpp"

namespace astraweave::simd {

void scan_dot_f32_scalar(const float* query, const float* rows, std::size_t stride, std::size_t n,
                         std::size_t dims, float* scores) noexcept {
  for (std::size_t r = 0; r < n; ++r) scores[r] = dot_f32_scalar(query, rows + r * stride, dims);
}

void scan_l2_f32_scalar(const float* query, const float* rows, std::size_t stride, std::size_t n,
                        std::size_t dims, float* scores) noexcept {
  for (std::size_t r = 0; r < n; ++r) scores[r] = l2_f32_scalar(query, rows + r * stride, dims);
}

}  // namespace astraweave::simd
