// Vectors rounded to 8 bits a number, and how far each lies from what it was.
//
// A row x is kept as whole numbers c (see simd/codes/codes.hpp) and a scale: y = scale * c stands
// for it. The scale is the largest |x[i]| over 127, so that |x[i] - y[i]| <= scale / 2. Beside it:
//   residual    at least the length of x - y, rounded up; infinite where the row is so long that
//               bounds in float32 would overflow
//   length      the length of y to the nearest float
// A row whose numbers are all below 1e-30 is kept as zeros.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "index/rows.hpp"
#include "simd/pick/pick.hpp"

namespace astraweave::index {

class CodeRows {
 public:
  explicit CodeRows(std::size_t dims) : codes_(dims) {}

  std::size_t size() const noexcept { return scales_.size(); }
  std::size_t dims() const noexcept { return codes_.dims(); }
  std::size_t stride() const noexcept { return codes_.stride(); }
  const std::uint8_t* row(std::size_t slot) const noexcept { return codes_.row(slot); }
  float scale(std::size_t slot) const noexcept { return scales_[slot]; }
  float residual(std::size_t slot) const noexcept { return residuals_[slot]; }
  float length(std::size_t slot) const noexcept { return lengths_[slot]; }
  // Of the rows from `first` on.
  simd::CodeRowSpan span(std::size_t first) const noexcept {
    return {scales_.data() + first, residuals_.data() + first, lengths_.data() + first};
  }

  // dims() numbers of y.
  void decode(std::size_t slot, float* out) const noexcept;

  // Makes room for n more; push_zero() and append() cannot fail for as many.
  void reserve_more(std::size_t n);
  void push_zero();
  void append(const CodeRows& more);
  // `vector` has dims() finite floats or float16s.
  void write(std::size_t slot, const float* vector) noexcept;
  void write(std::size_t slot, const std::uint16_t* vector) noexcept;
  // The same codes, but what decode() gives is now the row itself: only its rounding is left.
  void write_rounded(std::size_t slot, const float* vector) noexcept;
  // So too with codes and a scale that were kept.
  void write_codes(std::size_t slot, const std::uint8_t* codes, float scale) noexcept;
  void pop() noexcept;
  void copy_over(std::size_t from, std::size_t to) noexcept { copy_from(*this, from, to); }
  void copy_from(const CodeRows& other, std::size_t from, std::size_t to) noexcept;

 private:
  template <class T>
  void encode(std::size_t slot, const T* vector) noexcept;
  template <class Row>
  void measure(std::size_t slot, Row row) noexcept;
  void measure_rounded(std::size_t slot) noexcept;

  ByteRows codes_;
  std::vector<float> scales_;
  std::vector<float> residuals_;
  std::vector<float> lengths_;
};

}  // namespace astraweave::index
