#include "simd/l2/l2.hpp"

namespace astraweave::simd {

float l2_f32_scalar(const float* a, const float* b, std::size_t n) noexcept {
  // Four sums break the chain of dependent additions and round less than one.
  float sum[4] = {0, 0, 0, 0};
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (std::size_t lane = 0; lane < 4; ++lane) {
      const float difference = a[i + lane] - b[i + lane];
      sum[lane] += difference * difference;
    }
  }
  for (; i < n; ++i) sum[0] += (a[i] - b[i]) * (a[i] - b[i]);
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

}  // namespace astraweave::simd
