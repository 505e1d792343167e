// The weights of a decoder: read from the converter's data file, checked, and repacked.
//
// The file is the one that the ONNX graph refers to (model.onnx.data); a table says where each
// tensor is in it. Nothing of either is believed: a tensor that is missing, of another type or
// shape, outside the file, misplaced, or that holds a number that is none, is an
// Error(kCorruptData) with its name. Any bytes of codes and zero points are weights.
//
// Tensors, N outputs of K columns: NAME.q uint8 (N, K / 32, 32), NAME.s float32 (N, K / 32) and
// NAME.z uint8 (N, K / 32); NAME.bias float32 (N), where there is one.
//   embedding          vocabulary x width, without .z: 128 everywhere
//   logits             the head, where it is not the embedding
//   l{i}.qkv .o .gu .down    the products of layer i; gu: the gate's outputs, then the up ones
//   blk.{i}.attn_norm.weight, blk.{i}.ffn_norm.weight, output_norm.weight    float32 (width)
//   blk.{i}.attn_q_norm.weight, blk.{i}.attn_k_norm.weight    float32 (head_size), both or none
//   rope.cos, rope.sin    float32 (context, head_size / 2)
//
// Memory: the panels, 1.16 bytes a weight, in one stretch; while loading, the largest tensor beside
// it. Const after loading, so any number of decoders may share one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "decoder/shape.hpp"
#include "simd/cache_line.hpp"
#include "simd/product/product.hpp"

namespace astraweave::decoder {

enum class TensorType { kFloat32, kUint8 };

struct TensorPlace {
  TensorType type = TensorType::kFloat32;
  std::vector<std::uint64_t> shape;
  std::uint64_t offset = 0;  // in the file, in bytes
};

using TensorTable = std::unordered_map<std::string, TensorPlace>;
using Numbers = simd::AlignedVector<float>;

// One matrix product; bias is empty where there is none, else outputs rounded up to whole panels.
struct Linear {
  simd::Panels panels;
  Numbers bias;
};

struct LayerWeights {
  Numbers attention_norm, feed_forward_norm;
  Numbers query_norm, key_norm;  // both empty, or head_size each
  Linear qkv, output, gate_up, down;
};

class PanelMemory {
 public:
  PanelMemory() = default;
  explicit PanelMemory(std::size_t bytes);  // zeros; throws Error(kCapacity)
  ~PanelMemory();
  PanelMemory(const PanelMemory&) = delete;
  PanelMemory& operator=(const PanelMemory&) = delete;
  std::uint8_t* take(std::size_t bytes) noexcept;  // the next ones, on a cache line
  static std::size_t rounded(std::size_t bytes) noexcept { return (bytes + 63) / 64 * 64; }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t taken_ = 0;
};

class Weights {
 public:
  // Throws Error: kConfig (the shape), kCorruptData (table or file), kStorage, kCapacity.
  Weights(const std::filesystem::path& data, const Shape& shape, const TensorTable& table);

  const Shape& shape() const noexcept { return shape_; }
  const Linear& embedding() const noexcept { return embedding_; }
  const Linear& head() const noexcept { return head_.panels.data ? head_ : embedding_; }
  const LayerWeights& layer(std::size_t i) const noexcept { return layers_[i]; }
  const Numbers& last_norm() const noexcept { return last_norm_; }
  const float* cos(std::size_t position) const noexcept {
    return cos_.data() + position * (shape_.head_size / 2);
  }
  const float* sin(std::size_t position) const noexcept {
    return sin_.data() + position * (shape_.head_size / 2);
  }
  std::size_t bytes() const noexcept { return panels_.bytes(); }

 private:
  Shape shape_;
  PanelMemory panels_;
  Linear embedding_, head_;
  std::vector<LayerWeights> layers_;
  Numbers last_norm_, cos_, sin_;
};

}  // namespace astraweave::decoder
