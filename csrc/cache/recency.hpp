// Entries in order of use, exactly, at the price of one store a hit.
//
// A linked list would write to five cache lines a hit, which two threads then tear from each other.
// Here a hit only stamps its entry. Each entry lies in a heap under the stamp that it had
// when it was last looked at; stamps only grow, so an entry at the top whose stamp has not changed
// is the oldest of all, and one whose stamp has changed sinks to where it belongs. A hit costs at
// most one such sinking, at the next eviction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cache/entry.hpp"

namespace astraweave::cache {

class Recency {
 public:
  // Room for one more entry; what may throw.
  void reserve(std::size_t entries) {
    if (nodes_.capacity() < entries) nodes_.reserve(2 * entries);
  }
  void push(Entry* entry) noexcept;
  void remove(Entry* entry) noexcept;
  // The least recently used; nullptr when empty.
  Entry* oldest() noexcept;
  void clear() noexcept {
    nodes_.clear();
    bytes_ = 0;
  }
  std::size_t bytes() const noexcept { return bytes_; }
  // Oldest first.
  void collect(std::vector<const Entry*>& out) const;

 private:
  struct Node {
    std::uint64_t stamp;
    Entry* entry;
  };
  void put(std::size_t at, Node node) noexcept {
    nodes_[at] = node;
    node.entry->place = at;
  }
  void rise(std::size_t at, Node node) noexcept;
  void sink(std::size_t at, Node node) noexcept;

  std::vector<Node> nodes_;
  std::size_t bytes_ = 0;
};

}  // namespace astraweave::cache
