// Records of one size by slot, in segments that never move: growing takes a new segment and copies
// nothing. Records begin where a new segment leaves them: not zeroed. A run of a mapped file can
// stand in for segments.
//
// Threads: at() beside at(); everything else alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace astraweave::index {

using Slot = std::uint32_t;
inline constexpr Slot kNoSlot = 0xffffffffu;

class Segments {
 public:
  static constexpr unsigned kShift = 10;
  static constexpr std::size_t kPerSegment = std::size_t{1} << kShift;

  explicit Segments(std::size_t record) : record_(record) {}

  std::size_t record() const noexcept { return record_; }
  std::size_t capacity() const noexcept { return segments_.size() << kShift; }

  std::byte* at(Slot slot) const noexcept {
    return segments_[slot >> kShift] + (slot & (kPerSegment - 1)) * record_;
  }

  // Room for slots 0 to count - 1.
  void reserve(std::size_t count) {
    while (capacity() < count) {
      segments_.reserve(segments_.size() + 1);
      own_.push_back(
          Block(static_cast<std::byte*>(::operator new(record_ * kPerSegment, kAlignment))));
      segments_.push_back(own_.back().get());
    }
  }

  // Full segments out of `records`, which outlive this; capacity() was 0.
  void adopt(std::byte* records, std::size_t segments) {
    for (std::size_t i = 0; i < segments; ++i) {
      segments_.push_back(records + i * record_ * kPerSegment);
    }
  }

  // Of our own memory.
  std::size_t bytes() const noexcept { return own_.size() * record_ * kPerSegment; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(std::byte* block) const noexcept { ::operator delete(block, kAlignment); }
  };
  using Block = std::unique_ptr<std::byte, Free>;

  std::size_t record_;
  std::vector<std::byte*> segments_;
  std::vector<Block> own_;
};

}  // namespace astraweave::index
