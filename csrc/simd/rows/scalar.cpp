#include <cmath>

#include "simd/rows/rows.hpp"

namespace astraweave::simd {
namespace {

void rms_norm(const float* x, const float* weight, float epsilon, std::size_t n,
              float* out) noexcept {
  float sums[8] = {};
  for (std::size_t i = 0; i < n; ++i) sums[i % 8] += x[i] * x[i];
  float sum = 0;
  for (const float part : sums) sum += part;
  const float factor = 1.0f / std::sqrt(sum / static_cast<float>(n) + epsilon);
  for (std::size_t i = 0; i < n; ++i) out[i] = x[i] * factor * weight[i];
}

void rope(float* head, const float* cos, const float* sin, std::size_t head_size) noexcept {
  const std::size_t half = head_size / 2;
  for (std::size_t i = 0; i < half; ++i) {
    const float first = head[i], second = head[i + half];
    head[i] = first * cos[i] - second * sin[i];
    head[i + half] = second * cos[i] + first * sin[i];
  }
}

void silu_multiply(const float* gate, const float* up, std::size_t n, float* out) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = gate[i] / (1.0f + std::exp(-gate[i])) * up[i];
}

}  // namespace

const RowKernels kRowsScalar{rms_norm, rope, silu_multiply};

}  // namespace astraweave::simd
