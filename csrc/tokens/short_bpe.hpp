// Merging for pieces of up to 1,024 symbols: words, and clauses of scripts without spaces.
//
// Each pair of neighbours has a key, its merge's rank above its place, so that the smallest key is
// the next merge and the leftmost among equals. The least of every 16 keys is kept: a merge looks
// at these and at the few blocks that it changed, which for a word is one. Nothing is allocated.
//
// The floor: a look-up for each pair of bytes (in a table of all such pairs) and two for each
// merge; these are independent of each other, and what a merge waits for is one pair of them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tokens/merge_table.hpp"

namespace astraweave::tokens {

class ShortBpe {
 public:
  static constexpr std::size_t kMost = 1024;  // symbols

  // `merges` outlives this.
  explicit ShortBpe(const MergeTable& merges) : merges_(&merges) {}
  // From now on merge_bytes may be used: these are the symbols of the bytes, all known.
  void know_bytes(const std::array<TokenId, 256>& symbols);
  bool knows_bytes() const noexcept { return !byte_pairs_.empty(); }

  // Turns symbols into tokens in place; how many they are then.
  std::size_t merge(std::span<TokenId> symbols) const noexcept;
  // Tokens of 1..kMost bytes, written to `out`, which has room for as many; how many they are.
  std::size_t merge_bytes(std::string_view bytes, TokenId* out) const noexcept;

 private:
  struct Pair {
    std::uint32_t rank = 0;  // 0: they do not merge
    TokenId result = kNoToken;
  };
  template <typename Look>
  std::size_t merge_all(TokenId* symbols, std::size_t n, Look&& look) const noexcept;

  const MergeTable* merges_;
  std::array<TokenId, 256> byte_symbols_{};
  std::vector<Pair> byte_pairs_;
};

}  // namespace astraweave::tokens
