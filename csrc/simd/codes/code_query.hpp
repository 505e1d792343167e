// A query of whole numbers, laid out as the scans of codes.hpp want it.
//
// The numbers are -31 to 31: then two sums of neighbours' products, 4 * 255 * 31, still fit into
// the 16 bits of AVX2's vpmaddubsw. What such a coarse query loses is bounded exactly
// (index/row_bounds.hpp) and costs a few rows more that are scored in floats: 24 instead of 13 of
// 10,000 sentences, where 15 bits would cost every row twice the instructions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "simd/cache_line.hpp"

namespace astraweave::simd {

// Rows and queries are read in blocks of so many codes.
inline constexpr std::size_t kCodeBlock = 64;

class CodeQuery {
 public:
  static constexpr std::int32_t kMost = 31;

  explicit CodeQuery(std::span<const std::int8_t> numbers);

  std::size_t dims() const noexcept { return dims_; }
  std::size_t blocks() const noexcept { return numbers_.size() / kCodeBlock; }
  std::int32_t sum() const noexcept { return sum_; }
  // Zeros behind dims() up to the end of the last block.
  const std::int8_t* numbers() const noexcept { return numbers_.data(); }

 private:
  std::size_t dims_;
  std::int32_t sum_ = 0;
  AlignedVector<std::int8_t> numbers_;
};

}  // namespace astraweave::simd
