#include "tokens/heap_bpe.hpp"

#include <cstdint>
#include <functional>
#include <queue>

namespace astraweave::tokens {

void merge_by_heap(const MergeTable& merges, std::vector<TokenId>& symbols) {
  struct Candidate {
    std::uint32_t rank, at;
    TokenId result;
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };
  constexpr std::uint32_t kEnd = ~std::uint32_t{0};
  const auto count = static_cast<std::uint32_t>(symbols.size());
  std::vector<std::uint32_t> next(count), previous(count);
  std::vector<Candidate> initial;
  for (std::uint32_t i = 0; i < count; ++i) {
    next[i] = i + 1 < count ? i + 1 : kEnd;
    previous[i] = i > 0 ? i - 1 : kEnd;
    const MergeTable::Merge* merge =
        i + 1 < count ? merges.find(symbols[i], symbols[i + 1]) : nullptr;
    if (merge) initial.push_back({merge->rank, i, merge->result});
  }
  std::priority_queue queue(std::greater<Candidate>{}, std::move(initial));
  const auto propose = [&](std::uint32_t at) {
    if (at == kEnd || next[at] == kEnd) return;
    if (const MergeTable::Merge* merge = merges.find(symbols[at], symbols[next[at]])) {
      queue.push({merge->rank, at, merge->result});
    }
  };
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    // Stale where the symbol is gone or its pair has changed since.
    if (symbols[top.at] == kNoToken || next[top.at] == kEnd) continue;
    const std::uint32_t right = next[top.at];
    const MergeTable::Merge* merge = merges.find(symbols[top.at], symbols[right]);
    if (merge == nullptr || merge->result != top.result) continue;
    symbols[top.at] = top.result;
    symbols[right] = kNoToken;
    next[top.at] = next[right];
    if (next[right] != kEnd) previous[next[right]] = top.at;
    propose(previous[top.at]);
    propose(top.at);
  }
  std::erase(symbols, kNoToken);
}

}  // namespace astraweave::tokens
