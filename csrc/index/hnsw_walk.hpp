// The walk of HNSW (Malkov & Yashunin 2016, algorithm 2) over 8-bit codes: from a node to its
// neighbours, nearest first, keeping the `limit` nearest that were seen.
//
// The neighbours of a node are scored together, their codes fetched ahead. What was seen lies in
// one sorted run, which for the few hundred of a search is quicker than two heaps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "index/hnsw_nodes.hpp"

namespace astraweave::index {

struct Near {
  float score;  // as score() in hnsw_nodes.hpp: higher is nearer
  Slot slot;
};

// The `limit` nearest, best first, each to be visited once.
class NearPool {
 public:
  void reset(std::size_t limit);

  bool takes(float score) const noexcept {
    return size_ < limit_ || score > entries_[size_ - 1].score;
  }
  void offer(float score, Slot slot) noexcept;
  // The nearest that next() has not given yet; kNoSlot when there is none.
  Slot next() noexcept;
  // What next() would give, without taking it.
  Slot peek() const noexcept { return cursor_ < size_ ? entries_[cursor_].slot : kNoSlot; }

  std::size_t size() const noexcept { return size_; }
  Near operator[](std::size_t i) const noexcept {
    return {entries_[i].score, entries_[i].slot & ~kTaken};
  }

 private:
  static constexpr Slot kTaken = 0x80000000u;

  std::vector<Near> entries_;
  std::size_t limit_ = 0;
  std::size_t size_ = 0;
  std::size_t cursor_ = 0;  // all before it were taken
};

// A set of slots that is emptied in the time that filling it took.
class SlotSet {
 public:
  void reserve(std::size_t slots) {
    if (bits_.size() * 64 < slots) {
      clear();
      bits_ = std::vector<std::uint64_t>((slots + slots / 2 + 63) / 64);
    }
  }
  bool contains(Slot slot) const noexcept { return (bits_[slot >> 6] >> (slot & 63) & 1) != 0; }
  // Whether it was not there.
  bool add(Slot slot) {
    std::uint64_t& word = bits_[slot >> 6];
    const std::uint64_t bit = std::uint64_t{1} << (slot & 63);
    if ((word & bit) != 0) return false;
    word |= bit;
    members_.push_back(slot);
    return true;
  }
  const std::vector<Slot>& members() const noexcept { return members_; }
  void clear() noexcept {
    for (const Slot slot : members_) bits_[slot >> 6] = 0;
    members_.clear();
  }

 private:
  std::vector<std::uint64_t> bits_;
  std::vector<Slot> members_;
};

// What one search or one insertion works with; reused, so that it need not allocate.
struct WalkContext {
  NearPool pool;
  SlotSet seen;
  SlotSet wanted;           // the slots that a filter lets through
  std::vector<Slot> slots;  // of one step, as the two below
  std::vector<const std::uint8_t*> rows;
  std::vector<std::int32_t> sums;
  std::vector<std::int8_t> numbers;  // the query's
  std::vector<std::int8_t> other;    // another row's, as a query
  std::vector<Near> candidates;
  std::vector<Slot> list;
  std::vector<float> row;

  void fit(const Nodes& nodes);
  // Room for so many slots, rows and sums.
  void fit_step(std::size_t n);
};

class WalkContexts {
 public:
  class Lease {
   public:
    Lease(WalkContexts& owner, const Nodes& nodes);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    WalkContext& operator*() const noexcept { return *context_; }
    WalkContext* operator->() const noexcept { return context_.get(); }

   private:
    WalkContexts& owner_;
    std::unique_ptr<WalkContext> context_;
  };

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<WalkContext>> idle_;
};

// Appends the slots with their scores to context.candidates.
void score_all(const Nodes& nodes, const Kernels& kernels, const Probe& probe,
               std::span<const Slot> slots, WalkContext& context);

// Offers the slots to context.pool.
void offer_all(const Nodes& nodes, const Kernels& kernels, const Probe& probe,
               std::span<const Slot> slots, WalkContext& context);

// Fills context.pool from `start`; context.seen holds what was looked at.
void walk(const Nodes& nodes, const Kernels& kernels, const Probe& probe, Near start,
          std::size_t level, std::size_t limit, WalkContext& context);

// Goes from `start` to a nearest node on each layer from `from` down to above `to`.
Near descend(const Nodes& nodes, const Kernels& kernels, const Probe& probe, Near start,
             std::size_t from, std::size_t to, WalkContext& context);

// The score of one slot.
float score_one(const Nodes& nodes, const Kernels& kernels, const Probe& probe, Slot slot) noexcept;

}  // namespace astraweave::index
