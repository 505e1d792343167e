// A set of slots: one bit each.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace astraweave::index {

class RowFilter {
 public:
  explicit RowFilter(std::size_t rows) : words_((rows + 63) / 64) {}

  // Asks for each of the rows; branch-free, so that it takes a nanosecond a row.
  template <class Allows>
  void fill(std::size_t rows, Allows allows) noexcept {
    for (std::size_t slot = 0; slot < rows; ++slot) {
      words_[slot / 64] |= std::uint64_t{allows(slot)} << (slot % 64);
    }
  }
  void allow(std::size_t slot) noexcept { words_[slot / 64] |= std::uint64_t{1} << (slot % 64); }
  bool allows(std::size_t slot) const noexcept {
    return (words_[slot / 64] >> (slot % 64) & 1) != 0;
  }
  std::size_t count() const noexcept {
    std::size_t sum = 0;
    for (const std::uint64_t word : words_) sum += static_cast<std::size_t>(std::popcount(word));
    return sum;
  }
  // Calls with each run of neighbours: the first, and how many.
  template <class Take>
  void for_each_run(Take take) const {
    std::size_t first = 0, n = 0;
    for (std::size_t word = 0; word < words_.size(); ++word) {
      for (std::uint64_t bits = words_[word]; bits != 0; bits &= bits - 1) {
        const std::size_t slot = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
        if (slot != first + n || n == 0) {
          if (n > 0) take(first, n);
          first = slot;
          n = 0;
        }
        ++n;
      }
    }
    if (n > 0) take(first, n);
  }

 private:
  std::vector<std::uint64_t> words_;
};

}  // namespace astraweave::index
