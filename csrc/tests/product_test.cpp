#include "simd/product/product.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "simd/cache_line.hpp"
#include "simd/target.hpp"
#include "tests/check.hpp"

namespace astraweave::tests {
namespace {

using simd::kPanelOutputs;
using simd::kProductBlock;

std::vector<simd::ProductKernels> all_kernels() {
  std::vector<simd::ProductKernels> all;
  for (const simd::Tier tier : simd::available_tiers()) all.push_back(simd::product_kernels(tier));
#if ASTRAWEAVE_X86
  for (const simd::Tier tier : simd::available_tiers()) {
    if (tier == simd::Tier::kAvx2 && simd::has_avxvnni()) {  // which dispatch prefers
      all.push_back(
          {simd::quantised_bytes_avx2, simd::quantise_row_avx2, simd::multiply_panels_avx2});
    }
  }
#endif
  return all;
}

struct Problem {
  std::size_t outputs, columns, rows;
  std::vector<std::uint8_t> codes, zeros;
  std::vector<float> scales, x;
  simd::AlignedVector<std::uint8_t> memory;
  simd::Panels panels;

  Problem(std::size_t outputs_, std::size_t columns_, std::size_t rows_, std::uint32_t seed)
      : outputs(outputs_), columns(columns_), rows(rows_) {
    std::mt19937 engine(seed);
    std::normal_distribution<float> any(0, 1);
    const std::size_t blocks = columns / kProductBlock;
    const bool edge = seed % 3 == 0;  // only the largest numbers, where something might saturate
    for (std::size_t i = 0; i < outputs * columns; ++i) {
      codes.push_back(static_cast<std::uint8_t>(edge ? 255 : engine() & 255));
    }
    for (std::size_t i = 0; i < outputs * blocks; ++i) {
      zeros.push_back(static_cast<std::uint8_t>(edge ? 255 * (engine() & 1) : engine() & 255));
      scales.push_back(std::abs(any(engine)) * 0.01F);
    }
    for (std::size_t i = 0; i < rows * columns; ++i) {
      x.push_back(edge ? (engine() & 1 ? 3.0F : -3.0F) : any(engine) * std::exp(any(engine)));
    }
    panels = {nullptr, outputs, columns};
    memory.resize(panels.bytes());
    panels.data = memory.data();
    simd::pack_outputs(memory.data(), columns, 0, outputs, codes.data(), scales.data(),
                       zeros.data());
  }

  float weight(std::size_t n, std::size_t k) const {
    const std::size_t block = n * (columns / kProductBlock) + k / kProductBlock;
    return static_cast<float>(codes[n * columns + k] - zeros[block]) * scales[block];
  }

  // In calls of `tile` rows and `run` panels.
  std::vector<float> product(const simd::ProductKernels& kernels, std::size_t tile, std::size_t run,
                             bool add = false) const {
    const std::size_t row_bytes = kernels.quantised_bytes(columns);
    simd::AlignedVector<std::byte> quantised(rows * row_bytes);
    for (std::size_t r = 0; r < rows; ++r) {  // in two parts, as a caller may
      const std::size_t half = columns / 64 * kProductBlock;
      std::byte* to = quantised.data() + r * row_bytes;
      kernels.quantise(x.data() + r * columns, 0, half, to);
      kernels.quantise(x.data() + r * columns + half, half, columns - half, to);
    }
    const std::size_t stride = panels.count() * kPanelOutputs;
    std::vector<float> out(rows * stride, add ? 1.0F : -7.0F);
    for (std::size_t p = 0; p < panels.count(); p += run) {
      for (std::size_t r = 0; r < rows; r += tile) {
        kernels.multiply(panels, p, std::min(run, panels.count() - p),
                         quantised.data() + r * row_bytes, row_bytes, std::min(tile, rows - r),
                         out.data() + r * stride + p * kPanelOutputs, stride, add);
      }
    }
    return out;
  }
};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

void one_result_for_all() {
  std::uint32_t seed = 1;
  for (const std::size_t columns : {32, 64, 96, 576}) {
    for (const std::size_t outputs : {1, 16, 17, 48}) {
      for (const std::size_t rows : {1, 2, 3, 5, 8, 9, 15, 16, 33}) {
        const Problem problem(outputs, columns, rows, ++seed);
        const auto wanted = problem.product(simd::product_kernels(simd::Tier::kScalar), rows, 99);
        const auto added =
            problem.product(simd::product_kernels(simd::Tier::kScalar), rows, 99, true);
        for (const simd::ProductKernels& kernels : all_kernels()) {
          CHECK(same_bits(problem.product(kernels, rows, 99), wanted));
          CHECK(same_bits(problem.product(kernels, 1, 1), wanted));
          CHECK(same_bits(problem.product(kernels, 7, 2), wanted));
          CHECK(same_bits(problem.product(kernels, rows, 99, true), added));
        }
      }
    }
  }
}

// The bound of the header, and 0 where a matrix has no output.
void errors_are_bounded() {
  for (std::uint32_t seed = 1; seed < 20; ++seed) {
    const Problem problem(21, 96, 3, seed);
    const auto found = problem.product(simd::product_kernels(simd::active_tier()), 3, 9);
    const std::size_t stride = problem.panels.count() * kPanelOutputs;
    for (std::size_t r = 0; r < problem.rows; ++r) {
      for (std::size_t n = 0; n < stride; ++n) {
        double wanted = 0, bound = 0, size = 0;
        for (std::size_t k = 0; n < problem.outputs && k < problem.columns; ++k) {
          const float* row = problem.x.data() + r * problem.columns;
          float most = 0;
          for (std::size_t j = 0; j < kProductBlock; ++j) {
            most = std::max(most, std::abs(row[k / kProductBlock * kProductBlock + j]));
          }
          const double weight = problem.weight(n, k);
          wanted += weight * row[k];
          bound += std::abs(weight) * most / 253.9;
          size += std::abs(weight) * most;
        }
        CHECK(std::abs(found[r * stride + n] - wanted) <= bound + size * 6e-7);
      }
    }
  }
}

void no_number_stays_none() {
  for (const float wrong :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    Problem problem(16, 64, 2, 4);
    problem.x[40] = wrong;
    for (const simd::ProductKernels& kernels : all_kernels()) {
      const auto found = problem.product(kernels, 2, 1);
      for (std::size_t n = 0; n < 16; ++n) {
        CHECK(std::isnan(found[n]));
        CHECK(std::isfinite(found[16 + n]));
      }
    }
  }
}

void tiny_rows_are_zero() {
  Problem problem(16, 32, 1, 5);
  for (const float tiny : {0.0F, 1e-38F, 1e-45F, -9e-31F}) {
    problem.x.assign(problem.x.size(), tiny);
    for (const simd::ProductKernels& kernels : all_kernels()) {
      for (const float y : problem.product(kernels, 1, 1)) CHECK(y == 0);
    }
  }
}

void rows_unpack() {
  const Problem problem(18, 64, 1, 7);
  std::vector<float> row(64);
  for (std::size_t n = 0; n < problem.outputs; ++n) {
    simd::unpack_output(problem.panels, n, row.data());
    for (std::size_t k = 0; k < 64; ++k) CHECK(row[k] == problem.weight(n, k));
  }
}

}  // namespace

void run_product_tests() {
  one_result_for_all();
  errors_are_bounded();
  no_number_stays_none();
  tiny_rows_are_zero();
  rows_unpack();
}

}  // namespace astraweave::tests
