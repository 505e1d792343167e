#include "decoder/forward.hpp"

#include <algorithm>
#include <atomic>
#include <bit>

namespace astraweave::decoder {
namespace {

using simd::kPanelOutputs;

constexpr std::size_t kFewRows = 4;        // below that, row work is not worth sharing
constexpr std::size_t kChunksAThread = 6;  // so that the last one is short
constexpr std::size_t kMostPanels = 8;     // of a chunk
constexpr std::size_t kTileRows = 32;      // of gate and up at once, so that they stay in a cache
constexpr std::size_t kGatePanels = 2;     // make up a block of the next product

constexpr std::size_t ceil_divide(std::size_t a, std::size_t b) noexcept { return (a + b - 1) / b; }

// work(first, count, thread) over 0 .. n - 1, in chunks that are multiples of `unit`.
template <class Work>
void in_chunks(threads::Team::Step& step, std::size_t n, std::size_t unit, std::size_t most,
               const Work& work) noexcept {
  const std::size_t wanted = ceil_divide(n, step.threads() * kChunksAThread);
  const std::size_t size =
      std::max(std::clamp(ceil_divide(wanted, unit) * unit, unit, std::max(unit, most)),
               ceil_divide(n, threads::Team::kMostChunks * unit) * unit);
  step.run(ceil_divide(n, size), [&](std::size_t chunk, std::size_t thread) noexcept {
    const std::size_t first = chunk * size;
    work(first, std::min(size, n - first), thread);
  });
}

// work(row, thread) for every row.
template <class Work>
void for_rows(threads::Team::Step& step, std::size_t rows, const Work& work) noexcept {
  if (rows < kFewRows) {
    for (std::size_t row = 0; row < rows; ++row) work(row, std::size_t{0});
    return;
  }
  in_chunks(step, rows, 1, rows, [&](std::size_t first, std::size_t count, std::size_t thread) {
    for (std::size_t row = first; row < first + count; ++row) work(row, thread);
  });
}

bool all_numbers(const float* x, std::size_t n) noexcept {
  constexpr std::uint32_t kExponent = 0x7f800000U;
  std::uint32_t most = 0;
  for (std::size_t i = 0; i < n; ++i) {
    most = std::max(most, std::bit_cast<std::uint32_t>(x[i]) & kExponent);
  }
  return most != kExponent;
}

// To `rows` rows of numbers, `stride` apart, the part of a bias that begins at `first`; if any.
void add_bias(const Numbers& bias, std::size_t first, std::size_t count, std::size_t rows,
              float* out, std::size_t stride) noexcept {
  if (bias.empty()) return;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < count; ++i) out[r * stride + i] += bias[first + i];
  }
}

template <class T>
void grow(simd::AlignedVector<T>& buffer, std::size_t size) {
  if (buffer.size() < size) buffer.resize(size);
}

}  // namespace

Forward::Forward(const Weights& weights, Attention& attention, std::size_t threads)
    : weights_(weights),
      shape_(weights.shape()),
      attention_(attention),
      product_(simd::product_kernels(simd::active_tier())),
      row_(simd::row_kernels(simd::active_tier())),
      scratch_(threads) {
  narrow_.row_bytes = product_.quantised_bytes(shape_.width);
  heads_.row_bytes = product_.quantised_bytes(shape_.queries());
  hidden_.row_bytes = product_.quantised_bytes(shape_.hidden);
}

std::size_t Forward::logits_stride() const noexcept {
  return weights_.head().panels.count() * kPanelOutputs;
}

void Forward::reserve(std::size_t rows, std::size_t wanted) {
  grow(x_, rows * shape_.width);
  grow(qkv_, rows * shape_.packed());
  grow(attended_, rows * shape_.queries());
  const std::size_t quantised = std::max(rows, wanted);
  grow(narrow_.data, quantised * narrow_.row_bytes);
  grow(heads_.data, rows * heads_.row_bytes);
  grow(hidden_.data, rows * hidden_.row_bytes);
  const std::size_t gated = 2 * kTileRows * kMostPanels * kPanelOutputs;
  for (auto& scratch : scratch_) {
    grow(scratch, std::max({shape_.width, gated, attention_.scratch_floats()}));
  }
}

std::size_t Forward::bytes() const noexcept {
  std::size_t floats = x_.size() + qkv_.size() + attended_.size();
  for (const auto& scratch : scratch_) floats += scratch.size();
  return floats * sizeof(float) + narrow_.data.size() + heads_.data.size() + hidden_.data.size();
}

bool Forward::run(Step& step, std::span<const std::int32_t> tokens,
                  std::span<const std::uint32_t> positions, std::span<const std::int32_t> wanted,
                  float* logits) noexcept {
  const std::size_t rows = tokens.size(), width = shape_.width;
  for_rows(step, rows, [&](std::size_t row, std::size_t) { embed(row, tokens[row]); });
  const auto normalise_all = [&](const Numbers& weight) {
    for_rows(step, rows, [&](std::size_t row, std::size_t thread) {
      normalise(x_.data() + row * width, weight, scratch_[thread].data(), narrow_.row(row));
    });
  };
  for (std::size_t i = 0; i < shape_.layers; ++i) {
    const LayerWeights& layer = weights_.layer(i);
    normalise_all(layer.attention_norm);
    multiply(step, layer.qkv, narrow_, rows, qkv_.data(), shape_.packed(), false);
    run_attention(step, i, positions, layer);
    multiply(step, layer.output, heads_, rows, x_.data(), width, true);
    normalise_all(layer.feed_forward_norm);
    run_gated(step, rows, layer.gate_up);
    multiply(step, layer.down, hidden_, rows, x_.data(), width, true);
  }
  return run_head(step, wanted, logits);
}

void Forward::embed(std::size_t row, std::int32_t token) noexcept {
  simd::unpack_output(weights_.embedding().panels, static_cast<std::size_t>(token),
                      x_.data() + row * shape_.width);
}

void Forward::normalise(const float* x, const Numbers& weight, float* scratch,
                        std::byte* out) const noexcept {
  row_.rms_norm(x, weight.data(), shape_.epsilon, shape_.width, scratch);
  product_.quantise(scratch, 0, shape_.width, out);
}

// Queries and keys of a row as attention wants them.
void Forward::turn(std::size_t row, std::uint32_t position, const LayerWeights& layer) noexcept {
  float* head = qkv_.data() + row * shape_.packed();
  for (std::size_t h = 0; h < shape_.heads + shape_.kv_heads; ++h, head += shape_.head_size) {
    if (!layer.query_norm.empty()) {
      const Numbers& weight = h < shape_.heads ? layer.query_norm : layer.key_norm;
      row_.rms_norm(head, weight.data(), shape_.epsilon, shape_.head_size, head);
    }
    row_.rope(head, weights_.cos(position), weights_.sin(position), shape_.head_size);
  }
}

void Forward::run_attention(Step& step, std::size_t layer, std::span<const std::uint32_t> positions,
                            const LayerWeights& weights) noexcept {
  const std::size_t rows = positions.size(), stride = shape_.packed();
  const float* keys = qkv_.data() + shape_.queries();
  for_rows(step, rows, [&](std::size_t row, std::size_t) {
    turn(row, positions[row], weights);
    attention_.write(layer, row, row + 1, {keys, stride}, {keys + shape_.keys(), stride});
  });
  step.run(attention_.items(), [&](std::size_t item, std::size_t thread) noexcept {
    attention_.run(item, layer, {qkv_.data(), stride}, {attended_.data(), shape_.queries()},
                   scratch_[thread].data());
  });
  for_rows(step, rows, [&](std::size_t row, std::size_t) {
    product_.quantise(attended_.data() + row * shape_.queries(), 0, shape_.queries(),
                      heads_.row(row));
  });
}

// A chunk takes the same panels of gate and up, and leaves the blocks of the next product.
void Forward::run_gated(Step& step, std::size_t rows, const Linear& gate_up) noexcept {
  const simd::Panels& panels = gate_up.panels;
  const std::size_t half = shape_.hidden / kPanelOutputs;
  const auto work = [&](std::size_t first, std::size_t count, std::size_t thread) {
    const std::size_t columns = count * kPanelOutputs, column = first * kPanelOutputs;
    float* gate = scratch_[thread].data();
    float* up = gate + kTileRows * columns;
    for (std::size_t row = 0; row < rows; row += kTileRows) {
      const std::size_t some = std::min(kTileRows, rows - row);
      const std::byte* in = narrow_.row(row);
      product_.multiply(panels, first, count, in, narrow_.row_bytes, some, gate, columns, false);
      product_.multiply(panels, half + first, count, in, narrow_.row_bytes, some, up, columns,
                        false);
      add_bias(gate_up.bias, column, columns, some, gate, columns);
      add_bias(gate_up.bias, shape_.hidden + column, columns, some, up, columns);
      for (std::size_t r = 0; r < some; ++r) {
        float* gated = gate + r * columns;
        row_.silu_multiply(gated, up + r * columns, columns, gated);
        product_.quantise(gated, column, columns, hidden_.row(row + r));
      }
    }
  };
  in_chunks(step, half, kGatePanels, kMostPanels, work);
}

bool Forward::run_head(Step& step, std::span<const std::int32_t> wanted, float* logits) noexcept {
  const Linear& head = weights_.head();
  for_rows(step, wanted.size(), [&](std::size_t i, std::size_t thread) {
    normalise(x_.data() + static_cast<std::size_t>(wanted[i]) * shape_.width, weights_.last_norm(),
              scratch_[thread].data(), narrow_.row(i));
  });
  multiply(step, head, narrow_, wanted.size(), logits, logits_stride(), false);
  std::atomic<bool> good{true};
  for_rows(step, wanted.size(), [&](std::size_t i, std::size_t) {
    if (!all_numbers(logits + i * logits_stride(), shape_.vocabulary)) {
      good.store(false, std::memory_order_relaxed);
    }
  });
  return good.load(std::memory_order_relaxed);
}

void Forward::multiply(Step& step, const Linear& linear, const Quantised& rows, std::size_t count,
                       float* out, std::size_t stride, bool add) const noexcept {
  if (count == 0) return;
  const auto work = [&](std::size_t first, std::size_t panels, std::size_t) {
    float* to = out + first * kPanelOutputs;
    product_.multiply(linear.panels, first, panels, rows.row(0), rows.row_bytes, count, to, stride,
                      add);
    add_bias(linear.bias, first * kPanelOutputs, panels * kPanelOutputs, count, to, stride);
  };
  in_chunks(step, linear.panels.count(), 1, kMostPanels, work);
}

}  // namespace astraweave::decoder
