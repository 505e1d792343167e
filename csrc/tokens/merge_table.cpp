#include "tokens/merge_table.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace astraweave::tokens {

MergeTable::MergeTable(std::vector<Merge> merges, const std::vector<bool>& symbols)
    : slots_(2), made_(symbols.size()) {
  fill(merges);
  std::erase_if(merges, [&](const Merge& merge) {  // overruled by a later one of the same pair
    return slots_[slot(merge.pair)].rank != merge.rank;
  });
  const auto by_rank = [](const Merge& a, const Merge& b) { return a.rank < b.rank; };
  if (!std::is_sorted(merges.begin(), merges.end(), by_rank)) {
    std::stable_sort(merges.begin(), merges.end(), by_rank);
  }
  std::vector<Merge> as_given = slots_;
  proper_ = keep_what_happens(merges, symbols);
  if (!proper_) {
    slots_ = std::move(as_given);
    made_.assign(symbols.size(), {});
  }
}

void MergeTable::fill(const std::vector<Merge>& merges) {
  slots_.assign(std::bit_ceil(2 * merges.size() + 2), {});
  for (const Merge& merge : merges) slots_[slot(merge.pair)] = merge;
}

// Goes through the merges by rank, and keeps each that can happen: its halves arise, and stand
// beside each other untouched until its turn. False where the table is not proper.
bool MergeTable::keep_what_happens(const std::vector<Merge>& merges,
                                   const std::vector<bool>& symbols) {
  const auto half = [](std::uint64_t pair, int shift) {
    return static_cast<TokenId>(static_cast<std::uint32_t>(pair >> shift));
  };
  const auto arises = [&](TokenId token) {
    return symbols[static_cast<std::size_t>(token)] || made(token).rank != 0;
  };
  std::vector<Merge> kept;
  slots_.assign(slots_.size(), {});
  for (const Merge& merge : merges) {
    const TokenId left = half(merge.pair, 32), right = half(merge.pair, 0);
    if (symbols[static_cast<std::size_t>(merge.result)]) return false;
    Made& made = made_[static_cast<std::size_t>(merge.result)];
    if (made.rank != 0 || !arises(left) || !arises(right)) continue;
    if (!untouched(left, right, merge.rank)) continue;
    made = {left, right, merge.rank};
    slots_[slot(merge.pair)] = merge;
    kept.push_back(merge);
  }
  fill(kept);
  for (const Merge& merge : merges) {  // would one happen whose turn was over before its halves?
    const TokenId left = half(merge.pair, 32), right = half(merge.pair, 0);
    if (made(merge.result).rank != 0 || !arises(left) || !arises(right)) continue;
    if (may_touch(left, right)) return false;
  }
  return true;
}

bool MergeTable::untouched(TokenId left, TokenId right, std::uint32_t limit) const noexcept {
  while (true) {
    const Merge* merge = find(left, right);
    if (merge != nullptr && merge->rank < limit) return false;
    const Made &of_left = made(left), &of_right = made(right);
    if (of_left.rank == 0 && of_right.rank == 0) return true;
    if (of_left.rank > of_right.rank) {
      limit = of_left.rank;
      left = of_left.right;
    } else {  // of equals the right one was made last; a merge of its rank further left went before
      limit = of_right.rank + 1;
      right = of_right.left;
    }
  }
}

}  // namespace astraweave::tokens
