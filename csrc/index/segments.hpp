// Records of one size by slot, in segments that never move: growing takes a new segment and copies
// nothing. Records begin where a new segment leaves them: not zeroed. A run of a mapped file can
// stand in for segments.
//
// Threads: at() beside at(); everything else alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
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
  std::size_t capacity() const noexcept { return (segments_.size() << kShift) - missing_; }

  std::byte* at(Slot slot) const noexcept {
    return segments_[slot >> kShift] + (slot & (kPerSegment - 1)) * record_;
  }

  // Room for slots 0 to count - 1.
  void reserve(std::size_t count) {
    if (capacity() >= count) return;
    if (missing_ > 0) {
      std::byte* whole = allocate();
      std::memcpy(whole, segments_.back(), (kPerSegment - missing_) * record_);
      segments_.back() = whole;
      missing_ = 0;
    }
    while (capacity() < count) {
      segments_.reserve(segments_.size() + 1);
      segments_.push_back(allocate());
    }
  }

  // Room for just `count` in `records`, which outlive this; capacity() was 0. The last segment may
  // be a part of one, which is copied when it has to grow.
  void adopt(std::byte* records, std::size_t count) {
    for (std::size_t first = 0; first < count; first += kPerSegment) {
      segments_.push_back(records + first * record_);
    }
    missing_ = (segments_.size() << kShift) - count;
  }

  // Of our own memory.
  std::size_t bytes() const noexcept { return own_.size() * record_ * kPerSegment; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(std::byte* block) const noexcept { ::operator delete(block, kAlignment); }
  };
  using Block = std::unique_ptr<std::byte, Free>;

  std::byte* allocate() {
    own_.push_back(
        Block(static_cast<std::byte*>(::operator new(record_ * kPerSegment, kAlignment))));
    return own_.back().get();
  }

  std::size_t record_;
  std::size_t missing_ = 0;  // records that the last segment, an adopted part, lacks
  std::vector<std::byte*> segments_;
  std::vector<Block> own_;
};

}  // namespace astraweave::index
