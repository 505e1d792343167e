// Merging with a heap of candidate merges over a linked list: O(n log n) for any text and table.
#pragma once

#include <vector>

#include "tokens/merge_table.hpp"

namespace astraweave::tokens {

// Turns symbols into tokens, in place.
void merge_by_heap(const MergeTable& merges, std::vector<TokenId>& symbols);

}  // namespace astraweave::tokens
