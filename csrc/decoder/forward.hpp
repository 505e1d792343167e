// One pass of a decoder over the new rows of a step: tokens in, logits of the wanted rows out.
//
// Every row is computed by itself in all but attention, which keeps rows apart too (attention.hpp),
// with the same operations in the same order whatever stands beside it and whoever computes it. So
// a token's logits depend, to the last bit, on the tokens before it alone: not on how a prompt was
// cut into steps, on the other sequences, on threads or on chunks. They do depend on the tier.
//
// A layer is five jobs of the team (QKV, attention, its output, gate and up, down), and what is
// done row by row between them: on the caller's thread where rows are few, else by all.
//
// Contract: one thread at a time. run() does not throw; reserve() does (std::bad_alloc), and then
// nothing has changed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "decoder/attention.hpp"
#include "decoder/weights.hpp"
#include "simd/cache_line.hpp"
#include "simd/product/product.hpp"
#include "simd/rows/rows.hpp"
#include "threads/team.hpp"

namespace astraweave::decoder {

class Forward {
 public:
  Forward(const Weights& weights, Attention& attention, std::size_t threads);

  // Room for that many rows, and for `wanted` of them before the head.
  void reserve(std::size_t rows, std::size_t wanted);

  // tokens, positions: one a row; the attention is prepared for these rows. wanted: rows,
  // ascending; those of the i-th go to logits + i * logits_stride(). Whether all of them are
  // numbers.
  bool run(threads::Team::Step& step, std::span<const std::int32_t> tokens,
           std::span<const std::uint32_t> positions, std::span<const std::int32_t> wanted,
           float* logits) noexcept;

  std::size_t logits_stride() const noexcept;  // the vocabulary, in whole panels
  std::size_t bytes() const noexcept;          // of its buffers

 private:
  using Step = threads::Team::Step;
  // Rows as the next product takes them.
  struct Quantised {
    simd::AlignedVector<std::byte> data;
    std::size_t row_bytes = 0;
    std::byte* row(std::size_t r) noexcept { return data.data() + r * row_bytes; }
    const std::byte* row(std::size_t r) const noexcept { return data.data() + r * row_bytes; }
  };

  void embed(std::size_t row, std::int32_t token) noexcept;
  void normalise(const float* x, const Numbers& weight, float* scratch,
                 std::byte* out) const noexcept;
  void turn(std::size_t row, std::uint32_t position, const LayerWeights& layer) noexcept;
  void run_attention(Step& step, std::size_t layer, std::span<const std::uint32_t> positions,
                     const LayerWeights& weights) noexcept;
  void run_gated(Step& step, std::size_t rows, const Linear& gate_up) noexcept;
  bool run_head(Step& step, std::span<const std::int32_t> wanted, float* logits) noexcept;
  void multiply(Step& step, const Linear& linear, const Quantised& rows, std::size_t count,
                float* out, std::size_t stride, bool add) const noexcept;

  const Weights& weights_;
  const Shape& shape_;
  Attention& attention_;
  simd::ProductKernels product_;
  simd::RowKernels row_;
  simd::AlignedVector<float> x_;         // the residual stream
  simd::AlignedVector<float> qkv_;       // of the layer at hand
  simd::AlignedVector<float> attended_;  // likewise
  Quantised narrow_, heads_, hidden_;    // of width, of all query heads, of the feed-forward part
  std::vector<simd::AlignedVector<float>> scratch_;  // by thread
};

}  // namespace astraweave::decoder
