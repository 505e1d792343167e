#include "cache/recency.hpp"

#include <algorithm>

namespace astraweave::cache {

void Recency::rise(std::size_t at, Node node) noexcept {
  for (; at > 0; at = (at - 1) / 2) {
    const Node& parent = nodes_[(at - 1) / 2];
    if (parent.stamp <= node.stamp) break;
    put(at, parent);
  }
  put(at, node);
}

void Recency::sink(std::size_t at, Node node) noexcept {
  for (std::size_t child; (child = 2 * at + 1) < nodes_.size(); at = child) {
    if (child + 1 < nodes_.size() && nodes_[child + 1].stamp < nodes_[child].stamp) ++child;
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
  if (at > 0 && last.stamp < nodes_[(at - 1) / 2].stamp) {
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
