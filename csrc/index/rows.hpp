// Rows of numbers, one after another, each beginning on a cache line; zeros fill up the last one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "simd/cache_line.hpp"

namespace astraweave::index {

using AlignedFloats = simd::AlignedVector<float>;

template <class T>
class RowsOf {
 public:
  static constexpr std::size_t kLine = 64 / sizeof(T);

  explicit RowsOf(std::size_t dims) : dims_(dims), stride_((dims + kLine - 1) / kLine * kLine) {}

  std::size_t size() const noexcept { return data_.size() / stride_; }
  std::size_t dims() const noexcept { return dims_; }
  // Numbers from one row to the next; kernels may run over all of them, the fill adds nothing.
  std::size_t stride() const noexcept { return stride_; }
  const T* row(std::size_t slot) const noexcept { return data_.data() + slot * stride_; }
  T* writable(std::size_t slot) noexcept { return data_.data() + slot * stride_; }

  // Makes room for n more; push_zero() and append() cannot fail for as many.
  void reserve_more(std::size_t n) {
    const std::size_t wanted = data_.size() + n * stride_;
    if (wanted > data_.capacity()) {
      data_.reserve(wanted > data_.capacity() * 3 / 2 ? wanted : data_.capacity() * 3 / 2);
    }
  }
  T* push_zero() {
    data_.resize(data_.size() + stride_);
    return data_.data() + data_.size() - stride_;
  }
  void append(const RowsOf& more) {
    data_.insert(data_.end(), more.data_.begin(), more.data_.end());
  }
  void pop() noexcept { data_.resize(data_.size() - stride_); }
  // `other` has rows of the same dimensions; it may be this.
  void copy_from(const RowsOf& other, std::size_t from, std::size_t to) noexcept {
    if (other.row(from) != row(to)) {
      std::memcpy(writable(to), other.row(from), stride_ * sizeof(T));
    }
  }

 private:
  std::size_t dims_;
  std::size_t stride_;
  simd::AlignedVector<T> data_;
};

using Rows = RowsOf<float>;
using HalfRows = RowsOf<std::uint16_t>;
using ByteRows = RowsOf<std::uint8_t>;

}  // namespace astraweave::index
