#include <algorithm>
#include <bit>
#include <cmath>

#include "simd/product/product.hpp"
#include "simd/product/records.hpp"

namespace astraweave::simd {
namespace {

// The largest |x| as bits: they are in the order of the numbers, NaN above all.
float largest(const float* x) noexcept {
  std::uint32_t most = 0;
  for (std::size_t k = 0; k < kProductBlock; ++k) {
    most = std::max(most, std::bit_cast<std::uint32_t>(x[k]) & 0x7fffffffU);
  }
  return std::bit_cast<float>(most);
}

}  // namespace

std::size_t quantised_bytes_scalar(std::size_t columns) noexcept {
  return columns / kProductBlock * sizeof(ByteRecord);
}

void quantise_row_scalar(const float* x, std::size_t first, std::size_t columns,
                         std::byte* row) noexcept {
  ByteRecord* to = record<ByteRecord>(row, first / kProductBlock);
  for (std::size_t k = 0; k < columns; k += kProductBlock, x += kProductBlock, ++to) {
    const float most = largest(x);
    if (!is_number(most)) {
      *to = kNoNumbers<ByteRecord>;
      continue;
    }
    to->scale = most < kSmallestBlock ? 0.0F : most / kLargestCode;
    const float inverse = most < kSmallestBlock ? 0.0F : kLargestCode / most;
    std::int32_t sum = 0;
    for (std::size_t j = 0; j < kProductBlock; ++j) {
      to->codes[j] = static_cast<std::int8_t>(std::nearbyint(x[j] * inverse));
      sum += to->codes[j];
    }
    to->minus_sum = -sum;
  }
}

void multiply_panels_scalar(const Panels& weights, std::size_t first, std::size_t count,
                            const std::byte* rows, std::size_t row_bytes, std::size_t n, float* out,
                            std::size_t stride, bool add) noexcept {
  for (std::size_t p = 0; p < count; ++p) {
    const std::uint8_t* codes = weights.codes(first + p);
    const float* scales = weights.scales(first + p);
    const std::uint8_t* zeros = weights.zeros(first + p);
    for (std::size_t r = 0; r < n; ++r) {
      float sums[kPanelOutputs] = {};
      for (std::size_t b = 0; b < weights.blocks(); ++b) {
        const ByteRecord& block = *record<ByteRecord>(rows + r * row_bytes, b);
        for (std::size_t lane = 0; lane < kPanelOutputs; ++lane) {
          const std::uint8_t* group = codes + b * kPanelBlockCodes + lane * 4;
          std::int32_t dot = zeros[b * kPanelOutputs + lane] * block.minus_sum;
          for (std::size_t k = 0; k < kProductBlock; ++k) {
            dot += group[k / 4 * 64 + k % 4] * block.codes[k];
          }
          const float scale = scales[b * kPanelOutputs + lane] * block.scale;
          sums[lane] = std::fma(static_cast<float>(dot), scale, sums[lane]);
        }
      }
      float* to = out + r * stride + p * kPanelOutputs;
      for (std::size_t lane = 0; lane < kPanelOutputs; ++lane) {
        to[lane] = add ? to[lane] + sums[lane] : sums[lane];
      }
    }
  }
}

}  // namespace astraweave::simd
