// Where finished work waits for the game's thread.
//
// Any thread posts, one at a time takes. Posting is lock-free and allocates only when more waits
// than ever did, so a thread that the operating system stops in the middle of it holds up nobody,
// least of all the game. Taking is wait-free but for the other takers.
//
// What was posted to a lane is taken in the order in which it was posted. Lane 0 goes first; every
// eighth item comes from the last lane that has one, so that none starves under a flood.
//
// Whoever wants to sleep until something comes calls `arm` and then looks once more. The next post,
// and only that one, is told so, and wakes the sleeper by whatever means there are.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "cache/spin_lock.hpp"
#include "mailbox/node_pool.hpp"

namespace astraweave::mailbox {

inline constexpr std::size_t kLanes = 5;
inline constexpr std::uint32_t kLastLanesTurn = 8;

class Mailbox {
 public:
  // Adds an item, which is not null. True: somebody was armed, and is no longer.
  bool post(void* item, std::size_t lane);

  // The next item; null where there is none.
  void* take() noexcept;

  // The next `post` returns true. False: something waits already (it is armed all the same).
  bool arm() noexcept;

  // How many were posted to a lane and taken from it, ever.
  std::uint64_t posted(std::size_t lane) const noexcept;
  std::uint64_t taken(std::size_t lane) const noexcept;

  // What waits; while others post, as it was a moment ago.
  std::size_t size() const noexcept;

  // Calls `see(item)` for all that waits, in no order, while nobody posts or takes.
  template <class See>
  void each(See see) const {
    for (const Lane& lane : lanes_) {
      for (Number at = lane.front; at != 0; at = next(at)) see(pool_[at].item);
      for (Number at = lane.posted.load(); at != 0; at = next(at)) see(pool_[at].item);
    }
  }

 private:
  struct alignas(64) Lane {
    // What nobody has looked at yet, the newest first.
    std::atomic<Number> posted{0};
    std::atomic<std::uint64_t> count_posted{0};
    // The taker's: in order. A cache line further, so that posting does not disturb it.
    alignas(64) Number front = 0;
    std::atomic<std::uint64_t> count_taken{0};
  };

  Number next(Number at) const noexcept { return pool_[at].next.load(std::memory_order_relaxed); }
  bool has_some(Lane& lane) noexcept;

  NodePool pool_;
  std::array<Lane, kLanes> lanes_;
  std::atomic<bool> armed_{false};
  cache::SpinLock taking_;
  std::uint32_t turn_ = 0;
};

}  // namespace astraweave::mailbox
