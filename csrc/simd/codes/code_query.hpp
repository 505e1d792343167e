// A query of whole numbers, laid out as the scans of codes.hpp want it.
//
// The numbers may be finer than 8 bits, since a query of 8 would round as badly as the rows do:
// |q| <= 16,383, and 255 * dims * |q| < 2^31, so that every sum fits into 32 bits. limit(dims)
// is the largest |q| that keeps both.
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
  static constexpr std::int32_t kMaxQuery = 16383;
  static std::int32_t limit(std::size_t dims) noexcept;

  explicit CodeQuery(std::span<const std::int16_t> numbers);

  std::size_t dims() const noexcept { return dims_; }
  std::size_t blocks() const noexcept { return wide_.size() / kCodeBlock; }
  std::int32_t sum() const noexcept { return sum_; }

  // The numbers, zeros up to the end of the last block.
  const std::int16_t* wide() const noexcept { return wide_.data(); }
  // Block by block 64 times h, then 64 times l, where q = 128 * h + l and 0 <= l <= 127.
  const std::int8_t* halves() const noexcept { return halves_.data(); }

 private:
  std::size_t dims_;
  std::int32_t sum_ = 0;
  AlignedVector<std::int16_t> wide_;
  AlignedVector<std::int8_t> halves_;
};

}  // namespace astraweave::simd
