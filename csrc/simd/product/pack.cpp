#include <cstring>

#include "simd/product/product.hpp"

namespace astraweave::simd {
namespace {

constexpr std::size_t kGroup = 4;  // neighbouring columns of one output
constexpr std::uint8_t kMiddle = 128;

// Where in a panel's codes the four columns from `column` on of an output stand.
constexpr std::size_t group_at(std::size_t column, std::size_t lane) noexcept {
  return column * kPanelOutputs + lane * kGroup;
}

}  // namespace

void pack_outputs(std::uint8_t* panels, std::size_t columns, std::size_t first, std::size_t count,
                  const std::uint8_t* codes, const float* scales,
                  const std::uint8_t* zeros) noexcept {
  const std::size_t blocks = columns / kProductBlock;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t output = first + i, lane = output % kPanelOutputs;
    std::uint8_t* panel = panels + output / kPanelOutputs * Panels::panel_bytes(columns);
    for (std::size_t k = 0; k < columns; k += kGroup) {
      std::memcpy(panel + group_at(k, lane), codes + i * columns + k, kGroup);
    }
    std::uint8_t* behind = panel + blocks * kPanelBlockCodes;
    for (std::size_t b = 0; b < blocks; ++b) {
      std::memcpy(behind + (b * kPanelOutputs + lane) * sizeof(float), scales + i * blocks + b,
                  sizeof(float));
    }
    behind += blocks * kPanelOutputs * sizeof(float);
    for (std::size_t b = 0; b < blocks; ++b) {
      behind[b * kPanelOutputs + lane] = zeros == nullptr ? kMiddle : zeros[i * blocks + b];
    }
  }
}

void unpack_output(const Panels& panels, std::size_t output, float* row) noexcept {
  const std::size_t panel = output / kPanelOutputs, lane = output % kPanelOutputs;
  const std::uint8_t* codes = panels.codes(panel);
  for (std::size_t b = 0; b < panels.blocks(); ++b) {
    const float scale = panels.scales(panel)[b * kPanelOutputs + lane];
    const int zero = panels.zeros(panel)[b * kPanelOutputs + lane];
    for (std::size_t k = b * kProductBlock; k < (b + 1) * kProductBlock; k += kGroup) {
      for (std::size_t j = 0; j < kGroup; ++j) {
        row[k + j] = static_cast<float>(codes[group_at(k, lane) + j] - zero) * scale;
      }
    }
  }
}

}  // namespace astraweave::simd
