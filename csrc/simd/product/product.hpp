// Matrix products for the decoder: activations of a step times weights in eight bits.
//
// Weights are as the converter writes them (MatMulNBits): of output n and block b of 32 columns,
// codes w of 8 bits, a scale and a zero point: weight = (w - zero) * scale. Activations are
// quantised here, row by row and block by block: code a = x * 127 / most, rounded to even, where
// most is the largest |x| of the block, and scale most / 127. Then
//
//   y[r][n] = sum over b of  float(sum over k of (w[n][k] - zero[n][b]) * a[r][k])
//                            * (scale_w[n][b] * scale_a[r][b])
//
// Contract, the same for every tier: the inner sums are whole numbers and exact; scale_w * scale_a
// is rounded to float; blocks are added in their order by fused multiply-adds. So a result has the
// same bits on every tier, and does not depend on how many rows or panels one call has.
//
// Errors: of one activation, most / 254 at most, so of a result at most
//   sum over b of most_a[r][b] / 254 * sum over k of |weight[n][k]|
// from rounding activations, and (blocks + 2) * 2^-24 of the sum of the blocks' sizes from adding.
// A block whose largest |x| is below 1e-30 counts as zeros. A NaN or an infinity makes every result
// of its row NaN.
//
// Layout: 16 outputs to a panel, so that lanes are outputs and nothing is ever added across lanes.
// A panel is its blocks' codes (eight groups of 16 outputs x 4 columns: 512 bytes), then their
// scales (16 floats a block), then their zero points (16 bytes a block).
//
// Floors: one row waits for memory: 1.16 bytes a weight. Many rows wait for arithmetic: a block of
// a panel and a row is 512 multiply-adds: 8 vpdpbusd, and 4 instructions for scales and zero
// points (AVX-512, two a cycle: 6 cycles); 32 multiplications and 32 additions of 8 lanes (AVX2;
// 16 vpdpbusd with AVX-VNNI).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "simd/tier.hpp"

namespace astraweave::simd {

inline constexpr std::size_t kProductBlock = 32;
inline constexpr std::size_t kPanelOutputs = 16;
inline constexpr std::size_t kPanelBlockCodes = kProductBlock * kPanelOutputs;

// Panels of one matrix, somewhere in memory; begins at a multiple of 64.
struct Panels {
  const std::uint8_t* data = nullptr;
  std::size_t outputs = 0;
  std::size_t columns = 0;  // a multiple of 32

  std::size_t blocks() const noexcept { return columns / kProductBlock; }
  std::size_t count() const noexcept { return (outputs + kPanelOutputs - 1) / kPanelOutputs; }
  static std::size_t panel_bytes(std::size_t columns) noexcept {
    const std::size_t blocks = columns / kProductBlock;
    return (blocks * (kPanelBlockCodes + kPanelOutputs * 5) + 63) / 64 * 64;
  }
  std::size_t bytes() const noexcept { return count() * panel_bytes(columns); }
  const std::uint8_t* codes(std::size_t panel) const noexcept {
    return data + panel * panel_bytes(columns);
  }
  const float* scales(std::size_t panel) const noexcept {
    return reinterpret_cast<const float*>(codes(panel) + blocks() * kPanelBlockCodes);
  }
  const std::uint8_t* zeros(std::size_t panel) const noexcept {
    return codes(panel) + blocks() * (kPanelBlockCodes + kPanelOutputs * sizeof(float));
  }
};

// Puts `count` outputs, from output `first` on, into panels. codes[count][columns],
// scales[count][blocks]; zeros[count][blocks], or null: 128 everywhere. Outputs that a last panel
// lacks have to be there as zero bytes before.
void pack_outputs(std::uint8_t* panels, std::size_t columns, std::size_t first, std::size_t count,
                  const std::uint8_t* codes, const float* scales,
                  const std::uint8_t* zeros) noexcept;

// One output's weights as floats: a row of an embedding.
void unpack_output(const Panels& panels, std::size_t output, float* row) noexcept;

// A quantised row is opaque; its layout belongs to the tier. `bytes` of it for that many columns.
using QuantisedBytes = std::size_t (*)(std::size_t columns) noexcept;

// x: columns floats. From column `first` (a multiple of 32) on of a row that has more.
using QuantiseRow = void (*)(const float* x, std::size_t first, std::size_t columns,
                             std::byte* row) noexcept;

// Outputs of `count` panels from `first` on, for n quantised rows that lie `row_bytes` apart.
//   out   out[r * stride + i] gets output first * 16 + i: 16 floats a panel, always. Any alignment
//   add   to what stands there
using MultiplyPanels = void (*)(const Panels& weights, std::size_t first, std::size_t count,
                                const std::byte* rows, std::size_t row_bytes, std::size_t n,
                                float* out, std::size_t stride, bool add) noexcept;

struct ProductKernels {
  QuantisedBytes quantised_bytes;
  QuantiseRow quantise;
  MultiplyPanels multiply;
};

// The kernels of a tier; tiers that this platform lacks answer with the scalar ones. They belong
// together: what one tier quantised, another cannot read. For AVX2 there are two sets, and where
// the processor has AVX-VNNI, which does the work of four instructions in one, it is that one.
ProductKernels product_kernels(Tier tier) noexcept;
bool has_avxvnni() noexcept;

#define ASTRAWEAVE_DECLARE_PRODUCT(tier)                                                   \
  std::size_t quantised_bytes_##tier(std::size_t columns) noexcept;                        \
  void quantise_row_##tier(const float* x, std::size_t first, std::size_t columns,         \
                           std::byte* row) noexcept;                                       \
  void multiply_panels_##tier(const Panels& weights, std::size_t first, std::size_t count, \
                              const std::byte* rows, std::size_t row_bytes, std::size_t n, \
                              float* out, std::size_t stride, bool add) noexcept
ASTRAWEAVE_DECLARE_PRODUCT(scalar);
ASTRAWEAVE_DECLARE_PRODUCT(avx2);
ASTRAWEAVE_DECLARE_PRODUCT(vnni_avx2);
ASTRAWEAVE_DECLARE_PRODUCT(avx512);
ASTRAWEAVE_DECLARE_PRODUCT(neon);
#undef ASTRAWEAVE_DECLARE_PRODUCT

}  // namespace astraweave::simd
