// The merges of a byte-pair encoding, and what follows from them about which tokens may touch.
//
// Three facts carry everything here. Let encode(w) merge, as long as any merge applies, the pair of
// lowest rank, the leftmost among equals.
//   1. What a stretch of text that no merge crosses becomes depends on that stretch alone: the
//      global choice, seen from inside, is the stretch's own choice. So every token that ever
//      arises, in whatever text, is what its own symbols encode to, by the same last merge. Of the
//      merges that make a token only that one can ever happen; the others are dropped.
//   2. Hence encode(w) = t1..tn exactly if encode(ti ti+1) = ti ti+1 for each neighbouring pair
//   (the
//      first merge across a border would have happened in the pair's own encoding as well).
//   3. Where every merge that happens ranks above those that made its halves (a *proper* table, as
//      all that were trained are), merges happen in the order of their ranks. Whether two tokens
//      may touch is then seen by undoing the later of the two, again and again, and asking whether
//      what touches now would have merged before.
#pragma once

#include <cstdint>
#include <vector>

#include "tokens/vocabulary.hpp"

namespace astraweave::tokens {

class MergeTable {
 public:
  struct Merge {
    std::uint64_t pair = ~std::uint64_t{0};
    std::uint32_t rank = 0;  // 1 and up
    TokenId result = kNoToken;
  };
  struct Made {  // of what a token was made last; rank 0: a symbol, or a token that never arises
    TokenId left = kNoToken, right = kNoToken;
    std::uint32_t rank = 0;
  };
  static std::uint64_t key(TokenId left, TokenId right) noexcept {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
  }

  MergeTable() : slots_(2) {}
  // Merges in any order; of two with one pair the later counts. `symbols` says of each token
  // whether a text may start out with it.
  MergeTable(std::vector<Merge> merges, const std::vector<bool>& symbols);

  const Merge* find(TokenId left, TokenId right) const noexcept {
    const Merge& merge = slots_[slot(key(left, right))];
    return merge.result == kNoToken ? nullptr : &merge;
  }
  // Whether facts 1 and 3 were used: else the merges are as given, and `may_touch` says nothing.
  bool proper() const noexcept { return proper_; }
  const Made& made(TokenId token) const noexcept { return made_[static_cast<std::size_t>(token)]; }
  // Whether encode(left right) = left right, of two tokens that arise.
  bool may_touch(TokenId left, TokenId right) const noexcept {
    return untouched(left, right, ~std::uint32_t{0});
  }

 private:
  std::size_t slot(std::uint64_t pair) const noexcept {
    const std::size_t mask = slots_.size() - 1;
    std::uint64_t hash = pair * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
    std::size_t at = hash & mask;
    while (slots_[at].result != kNoToken && slots_[at].pair != pair) at = (at + 1) & mask;
    return at;
  }
  void fill(const std::vector<Merge>& merges);
  bool untouched(TokenId left, TokenId right, std::uint32_t limit) const noexcept;
  bool keep_what_happens(const std::vector<Merge>& merges, const std::vector<bool>& symbols);

  std::vector<Merge> slots_;  // open addressing, at most half full
  std::vector<Made> made_;    // by token
  bool proper_ = false;
};

}  // namespace astraweave::tokens
