#include "cache/recency.hpp"

#include <algorithm>

namespace astraweave::cache {
namespace {

// Four children lie in one cache line, and each level that a node passes writes to an entry
// somewhere in memory: a flat heap costs less than one of two.
constexpr std::size_t kChildren = 4;

constexpr std::size_t parent_of(std::size_t at) { return (at - 1) / kChildren; }

}  // namespace

void Recency::rise(std::size_t at, Node node) noexcept {
  for (; at > 0; at = parent_of(at)) {
    const Node& parent = nodes_[parent_of(at)];
    if (parent.stamp <= node.stamp) break;
    put(at, parent);
  }
  put(at, node);
}

void Recency::sink(std::size_t at, Node node) noexcept {
  for (std::size_t child; (child = kChildren * at + 1) < nodes_.size(); at = child) {
    const std::size_t end = std::min(child + kChildren, nodes_.size());
    for (std::size_t other = child + 1; other < end; ++other) {
      if (nodes_[other].stamp < nodes_[child].stamp) child = other;
    }
    if (node.stamp <= nodes_[child].stamp) break;
    put(at, nodes_[child]);
  }
  put(at, node);
}

void Recency::push(Entry* entry) noexcept {
  const Node node{entry->stamp, entry};
  nodes_.push_back(node);
  rise(nodes_.size() - 1, node);
  bytes_ += cost(*entry);
}

void Recency::remove(Entry* entry) noexcept {
  const std::size_t at = entry->place;
  const Node last = nodes_.back();
  nodes_.pop_back();
  bytes_ -= cost(*entry);
  if (at == nodes_.size()) return;
  if (at > 0 && last.stamp < nodes_[parent_of(at)].stamp) {
    rise(at, last);
  } else {
    sink(at, last);
  }
}

Entry* Recency::oldest() noexcept {
  if (nodes_.empty()) return nullptr;
  while (nodes_[0].stamp != nodes_[0].entry->stamp) {
    sink(0, {nodes_[0].entry->stamp, nodes_[0].entry});
  }
  return nodes_[0].entry;
}

void Recency::collect(std::vector<const Entry*>& out) const {
  const auto from = static_cast<std::ptrdiff_t>(out.size());
  for (const Node& node : nodes_) out.push_back(node.entry);
  std::sort(out.begin() + from, out.end(),
            [](const Entry* a, const Entry* b) { return a->stamp < b->stamp; });
}

}  // namespace astraweave::cache
