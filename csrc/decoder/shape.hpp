// The numbers of a decoder, as the converter writes them.
#pragma once

#include <cstddef>

namespace astraweave::decoder {

struct Shape {
  std::size_t layers = 0;
  std::size_t width = 0;
  std::size_t hidden = 0;
  std::size_t heads = 0;
  std::size_t kv_heads = 0;
  std::size_t head_size = 0;
  std::size_t vocabulary = 0;
  std::size_t context = 0;
  float epsilon = 0;

  std::size_t queries() const noexcept { return heads * head_size; }
  std::size_t keys() const noexcept { return kv_heads * head_size; }
  std::size_t packed() const noexcept { return queries() + 2 * keys(); }  // of Q, K and V together

  // Throws Error(kConfig) for numbers that the native decoder cannot do, or that no model has.
  void check() const;
};

}  // namespace astraweave::decoder
