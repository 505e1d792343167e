#include "simd/rows/rows.hpp"

#include <cmath>
#include <random>
#include <vector>

#include "tests/check.hpp"

namespace astraweave::tests {
namespace {

const double kUnit = std::ldexp(1.0, -24);

std::vector<float> noise(std::size_t n, unsigned seed, float size = 1) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, size);
  std::vector<float> values(n);
  for (float& value : values) value = normal(engine);
  return values;
}

void norms(const simd::RowKernels& kernels) {
  for (std::size_t n = 1; n < 100; ++n) {
    const auto x = noise(n, 1, n % 5 == 0 ? 1e4f : 1e-3f), weight = noise(n, 2);
    auto out = x;  // in place
    kernels.rms_norm(out.data(), weight.data(), 1e-5f, n, out.data());
    double sum = 0;
    for (const float value : x) sum += double{value} * value;
    for (std::size_t i = 0; i < n; ++i) {
      const double want = x[i] / std::sqrt(sum / double(n) + 1e-5f) * weight[i];
      CHECK(std::abs(out[i] - want) <= (double(n) / 8 + 16) * kUnit * std::abs(want) + 1e-37);
    }
  }
}

void turns(const simd::RowKernels& kernels) {
  for (std::size_t n = 2; n < 140; n += 2) {
    const auto x = noise(n, 3), angle = noise(n / 2, 4);
    std::vector<float> cos(n / 2), sin(n / 2);
    for (std::size_t i = 0; i < n / 2; ++i) {
      cos[i] = std::cos(angle[i]);
      sin[i] = std::sin(angle[i]);
    }
    auto out = x;
    kernels.rope(out.data(), cos.data(), sin.data(), n);
    for (std::size_t i = 0; i < n / 2; ++i) {
      const double a = x[i], b = x[i + n / 2];
      const double bound = 3 * kUnit * (std::abs(a) + std::abs(b));
      CHECK(std::abs(out[i] - (a * cos[i] - b * sin[i])) <= bound);
      CHECK(std::abs(out[i + n / 2] - (b * cos[i] + a * sin[i])) <= bound);
    }
  }
}

void gates(const simd::RowKernels& kernels) {
  for (std::size_t n = 0; n < 100; ++n) {
    auto gate = noise(n, 5, 10);
    const auto up = noise(n, 6);
    const float odd[] = {0.0f, -0.0f, 100.0f, -79.5f, -87.5f, -100.0f, 1e30f, -1e30f, 89.0f};
    for (std::size_t i = 0; i < n; i += 3) gate[i] = odd[(i / 3 + n) % 9];
    auto out = gate;
    kernels.silu_multiply(out.data(), up.data(), n, out.data());
    for (std::size_t i = 0; i < n; ++i) {
      const double want = gate[i] / (1 + std::exp(-double{gate[i]})) * up[i];
      const double bound = gate[i] < -80 ? 1e-33 * std::abs(up[i]) : 16 * kUnit * std::abs(want);
      CHECK(std::abs(out[i] - want) <= bound + 1e-37);
    }
  }
  const float gate = NAN, up = 1, infinite = INFINITY;
  float out = 0;
  kernels.silu_multiply(&gate, &up, 1, &out);
  CHECK(std::isnan(out));
  kernels.silu_multiply(&infinite, &up, 1, &out);
  CHECK(out == INFINITY);
}

}  // namespace

void run_rows_tests() {
  const simd::RowKernels& kernels = simd::row_kernels(simd::active_tier());
  norms(kernels);
  turns(kernels);
  gates(kernels);
}

}  // namespace astraweave::tests
