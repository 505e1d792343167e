// The k best of a stream of scores. Higher is better; equal scores go by lower id.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace astraweave::index {

struct Candidate {
  float score;
  std::int64_t id;
};

// A constant and no function, so that the heap's steps are inlined.
inline constexpr auto better = [](const Candidate& a, const Candidate& b) noexcept {
  return a.score > b.score || (a.score == b.score && a.id < b.id);
};

class TopK {
 public:
  // Allocates for all of them; nothing after it does.
  explicit TopK(std::size_t k) : k_(k) { heap_.reserve(k); }

  void offer(float score, std::int64_t id) noexcept {
    const Candidate candidate{score, id};
    if (heap_.size() < k_) {
      heap_.push_back(candidate);
      std::push_heap(heap_.begin(), heap_.end(), better);
    } else if (better(candidate, heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), better);
      heap_.back() = candidate;
      std::push_heap(heap_.begin(), heap_.end(), better);
    }
  }

  bool full() const noexcept { return heap_.size() == k_; }
  // The score that another one has to reach; only where it is full, and k is not 0.
  float worst() const noexcept { return heap_.front().score; }

  // Best first; ends the stream.
  const std::vector<Candidate>& sorted() noexcept {
    std::sort_heap(heap_.begin(), heap_.end(), better);
    return heap_;
  }

 private:
  std::size_t k_;
  std::vector<Candidate> heap_;  // the worst in front
};

// The k-th best of a stream of scores, k >= 1.
class KthBest {
 public:
  explicit KthBest(std::size_t k) : k_(k) { heap_.reserve(k); }

  void offer(float score) noexcept {
    if (heap_.size() < k_) {
      heap_.push_back(score);
      std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
    } else if (score > heap_.front()) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      heap_.back() = score;
      std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
    }
  }

  bool full() const noexcept { return heap_.size() == k_; }
  float score() const noexcept { return heap_.front(); }  // only where it is full

 private:
  std::size_t k_;
  std::vector<float> heap_;  // the worst in front
};

}  // namespace astraweave::index
