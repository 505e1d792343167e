// A decoder with random weights, small enough for tests and fuzzing: its file and its table.
#pragma once

#include <cstring>
#include <random>
#include <string>

#include "decoder/weights.hpp"

namespace astraweave::tests {

struct TinyOptions {
  bool biases = false;
  bool head_norms = false;
  bool own_head = false;
  std::size_t head_size = 16;
};

struct TinyDecoder {
  decoder::Shape shape{2, 64, 96, 4, 2, 16, 70, 64, 1e-5F};
  decoder::TensorTable table;
  std::string file;

  explicit TinyDecoder(const TinyOptions& options = {}) {
    shape.head_size = options.head_size;
    const std::size_t head = shape.head_size;
    numbers("rope.cos", {shape.context, head / 2}, 0, 1);
    numbers("rope.sin", {shape.context, head / 2}, 0, 1);
    matrix("embedding", shape.vocabulary, shape.width, false);
    if (options.own_head) matrix("logits", shape.vocabulary, shape.width, true);
    numbers("output_norm.weight", {shape.width}, 1, 0.1F);
    for (std::size_t i = 0; i < shape.layers; ++i) {
      const std::string layer = "l" + std::to_string(i), block = "blk." + std::to_string(i) + ".";
      numbers(block + "attn_norm.weight", {shape.width}, 1, 0.1F);
      numbers(block + "ffn_norm.weight", {shape.width}, 1, 0.1F);
      if (options.head_norms) {
        numbers(block + "attn_q_norm.weight", {head}, 1, 0.1F);
        numbers(block + "attn_k_norm.weight", {head}, 1, 0.1F);
      }
      matrix(layer + ".qkv", shape.packed(), shape.width, true);
      matrix(layer + ".o", shape.width, shape.queries(), true);
      matrix(layer + ".gu", 2 * shape.hidden, shape.width, true);
      matrix(layer + ".down", shape.width, shape.hidden, true);
      if (options.biases) {
        numbers(layer + ".qkv.bias", {shape.packed()}, 0, 0.1F);
        numbers(layer + ".o.bias", {shape.width}, 0, 0.1F);
        numbers(layer + ".gu.bias", {2 * shape.hidden}, 0, 0.1F);
        numbers(layer + ".down.bias", {shape.width}, 0, 0.1F);
      }
    }
  }

 private:
  std::mt19937 engine_{7};

  void place(const std::string& name, decoder::TensorType type, std::vector<std::uint64_t> shape_) {
    file.resize((file.size() + 63) / 64 * 64);
    table[name] = {type, std::move(shape_), file.size()};
  }

  void numbers(const std::string& name, std::vector<std::uint64_t> sizes, float middle,
               float spread) {
    std::uniform_real_distribution<float> any(middle - spread, middle + spread);
    std::size_t count = 1;
    for (const std::uint64_t size : sizes) count *= size;
    place(name, decoder::TensorType::kFloat32, std::move(sizes));
    for (std::size_t i = 0; i < count; ++i) {
      const float value = any(engine_);
      file.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
  }

  void bytes(const std::string& name, std::vector<std::uint64_t> sizes, unsigned lowest,
             unsigned highest) {
    std::size_t count = 1;
    for (const std::uint64_t size : sizes) count *= size;
    place(name, decoder::TensorType::kUint8, std::move(sizes));
    for (std::size_t i = 0; i < count; ++i) {
      file.push_back(static_cast<char>(lowest + engine_() % (highest - lowest + 1)));
    }
  }

  void matrix(const std::string& name, std::size_t outputs, std::size_t columns, bool zeros) {
    const std::uint64_t blocks = columns / 32;
    bytes(name + ".q", {outputs, blocks, 32}, 0, 255);
    numbers(name + ".s", {outputs, blocks}, 0.002F, 0.001F);
    if (zeros) bytes(name + ".z", {outputs, blocks}, 100, 156);
  }
};

}  // namespace astraweave::tests
