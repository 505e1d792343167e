#include "mailbox/mailbox.hpp"

#include <mutex>

namespace astraweave::mailbox {

bool Mailbox::post(void* item, std::size_t lane_index) {
  const Number number = pool_.take();
  Cell& cell = pool_[number];
  cell.item = item;
  Lane& lane = lanes_[lane_index];
  Number newest = lane.posted.load(std::memory_order_relaxed);
  do {
    cell.next.store(newest, std::memory_order_relaxed);
    // Sequentially consistent, as all of `arm`: either the sleeper sees this, or this sees it
    // armed.
  } while (!lane.posted.compare_exchange_weak(newest, number));
  lane.count_posted.fetch_add(1, std::memory_order_relaxed);
  return armed_.load() && armed_.exchange(false);
}

bool Mailbox::has_some(Lane& lane) noexcept {
  if (lane.front != 0) return true;
  Number at = lane.posted.load(std::memory_order_relaxed);
  if (at == 0) return false;
  at = lane.posted.exchange(0, std::memory_order_acquire);
  while (at != 0) {  // turned round: the oldest first
    const Number older = next(at);
    pool_[at].next.store(lane.front, std::memory_order_relaxed);
    lane.front = at;
    at = older;
  }
  return true;
}

void* Mailbox::take() noexcept {
  const std::lock_guard lock(taking_);
  const bool last_first = (turn_ + 1) % kLastLanesTurn == 0;
  for (std::size_t i = 0; i < kLanes; ++i) {
    Lane& lane = lanes_[last_first ? kLanes - 1 - i : i];
    if (!has_some(lane)) continue;
    ++turn_;
    const Number number = lane.front;
    lane.front = next(number);
    void* item = pool_[number].item;
    pool_.give_back(number);
    lane.count_taken.fetch_add(1, std::memory_order_relaxed);
    return item;
  }
  return nullptr;
}

bool Mailbox::arm() noexcept {
  armed_.store(true);
  const std::lock_guard lock(taking_);
  for (const Lane& lane : lanes_) {
    if (lane.front != 0 || lane.posted.load() != 0) return false;
  }
  return true;
}

std::uint64_t Mailbox::posted(std::size_t lane) const noexcept {
  return lanes_[lane].count_posted.load(std::memory_order_relaxed);
}

std::uint64_t Mailbox::taken(std::size_t lane) const noexcept {
  return lanes_[lane].count_taken.load(std::memory_order_relaxed);
}

std::size_t Mailbox::size() const noexcept {
  std::uint64_t count = 0;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const std::uint64_t gone = taken(lane);
    const std::uint64_t come = posted(lane);
    count += come > gone ? come - gone : 0;  // one may be taken before it is counted
  }
  return count;
}

}  // namespace astraweave::mailbox
