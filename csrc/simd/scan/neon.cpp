#include "simd/dot/dot.hpp"
#include "simd/l2/l2.hpp"
#include "simd/scan/scan.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_ARM64

namespace astraweave::simd {

void scan_dot_f32_neon(const float* query, const float* rows, std::size_t stride, std::size_t n,
                       std::size_t dims, float* scores) noexcept {
  for (std::size_t r = 0; r < n; ++r) scores[r] = dot_f32_neon(query, rows + r * stride, dims);
}

void scan_l2_f32_neon(const float* query, const float* rows, std::size_t stride, std::size_t n,
                      std::size_t dims, float* scores) noexcept {
  for (std::size_t r = 0; r < n; ++r) scores[r] = l2_f32_neon(query, rows + r * stride, dims);
}

}  // namespace astraweave::simd
#endif
