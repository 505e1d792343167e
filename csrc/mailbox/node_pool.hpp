// Numbered cells that any thread takes and gives back without a lock.
//
// They are made in chunks, each twice as large as the one before, and live until the pool goes, so
// a number always names a cell. Free cells are a stack; its head carries a count of its changes, so
// a thread that was held up cannot mistake a head that came back for one that never went. Only
// growing takes a lock and allocates.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "error.hpp"

namespace astraweave::mailbox {

// 0 names no cell.
using Number = std::uint32_t;

struct Cell {
  std::atomic<Number> next{0};
  void* item = nullptr;
};

class NodePool {
 public:
  NodePool() = default;
  NodePool(const NodePool&) = delete;
  NodePool& operator=(const NodePool&) = delete;

  Cell& operator[](Number number) const noexcept {
    const std::uint32_t index = number - 1 + kFirst;
    const auto chunk = static_cast<std::size_t>(std::bit_width(index) - std::bit_width(kFirst));
    return chunks_[chunk][index - (kFirst << chunk)];
  }

  // A cell of one's own. Throws kCapacity when there are a billion, std::bad_alloc when the memory
  // is spent.
  Number take() {
    std::uint64_t head = free_.load(std::memory_order_acquire);
    for (;;) {
      const auto number = static_cast<Number>(head);
      if (number == 0) {
        if (grow()) head = free_.load(std::memory_order_acquire);
        continue;
      }
      const Number next = (*this)[number].next.load(std::memory_order_relaxed);
      if (free_.compare_exchange_weak(head, changed(head, next), std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
        return number;
      }
    }
  }

  void give_back(Number number) noexcept { give_back(number, number); }

 private:
  static constexpr std::uint32_t kFirst = 256;
  static constexpr std::size_t kChunks = 22;

  static std::uint64_t changed(std::uint64_t head, Number number) noexcept {
    return (((head >> 32U) + 1) << 32U) | number;
  }

  // A chain of cells, from its first to its last.
  void give_back(Number first, Number last) noexcept {
    std::uint64_t head = free_.load(std::memory_order_relaxed);
    do {
      (*this)[last].next.store(static_cast<Number>(head), std::memory_order_relaxed);
    } while (!free_.compare_exchange_weak(head, changed(head, first), std::memory_order_acq_rel,
                                          std::memory_order_relaxed));
  }

  // Whether to look again: always, unless it throws.
  bool grow() {
    const std::lock_guard lock(growing_);
    if (static_cast<Number>(free_.load(std::memory_order_acquire)) != 0) return true;
    if (made_ == kChunks) throw Error(ErrorCode::kCapacity, "a mailbox holds no more than this");
    const std::uint32_t size = kFirst << made_;
    chunks_[made_] = std::make_unique<Cell[]>(size);
    ++made_;
    const Number first = size - kFirst + 1;
    for (Number number = first; number + 1 < first + size; ++number) {
      (*this)[number].next.store(number + 1, std::memory_order_relaxed);
    }
    give_back(first, first + size - 1);
    return true;
  }

  // Written by `grow` before a number of the chunk is published through `free_`.
  std::array<std::unique_ptr<Cell[]>, kChunks> chunks_;
  std::atomic<std::uint64_t> free_{0};
  std::mutex growing_;
  std::size_t made_ = 0;
};

}  // namespace astraweave::mailbox
