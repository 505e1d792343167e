// Float32 rows, one after another, each beginning on a cache line; zeros fill up the last one.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <vector>

namespace astraweave::index {

template <class T>
struct CacheLineAllocator {
  using value_type = T;
  static constexpr std::align_val_t kAlignment{64};

  CacheLineAllocator() = default;
  template <class U>
  CacheLineAllocator(const CacheLineAllocator<U>&) noexcept {}

  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), kAlignment)); }
  void deallocate(T* pointer, std::size_t) noexcept { ::operator delete(pointer, kAlignment); }
  bool operator==(const CacheLineAllocator&) const noexcept { return true; }
};

using AlignedFloats = std::vector<float, CacheLineAllocator<float>>;

class Rows {
 public:
  explicit Rows(std::size_t dims) : dims_(dims), stride_((dims + 15) / 16 * 16) {}

  std::size_t size() const noexcept { return data_.size() / stride_; }
  std::size_t dims() const noexcept { return dims_; }
  // Floats from one row to the next; kernels may run over all of them, the fill adds nothing.
  std::size_t stride() const noexcept { return stride_; }
  const float* row(std::size_t slot) const noexcept { return data_.data() + slot * stride_; }

  // Makes room for n more; push_zero() cannot fail for as many.
  void reserve_more(std::size_t n) {
    const std::size_t wanted = data_.size() + n * stride_;
    if (wanted > data_.capacity()) {
      data_.reserve(wanted > data_.capacity() * 3 / 2 ? wanted : data_.capacity() * 3 / 2);
    }
  }
  float* push_zero() {
    data_.resize(data_.size() + stride_);
    return data_.data() + data_.size() - stride_;
  }
  float* writable(std::size_t slot) noexcept { return data_.data() + slot * stride_; }
  void pop() noexcept { data_.resize(data_.size() - stride_); }
  void copy_over(std::size_t from, std::size_t to) noexcept {
    if (from != to) std::memcpy(writable(to), row(from), stride_ * sizeof(float));
  }

 private:
  std::size_t dims_;
  std::size_t stride_;
  AlignedFloats data_;
};

}  // namespace astraweave::index
