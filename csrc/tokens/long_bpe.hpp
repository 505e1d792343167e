// Merging in linear time, for pieces of any length.
//
// By the facts in merge_table.hpp the encoding of a text is the one way to lay it out in tokens
// whose neighbours may all touch, and each beginning of it that ends with a token is the encoding
// of that beginning. So it is found from left to right: the longest token that may follow, a
// shorter one where none of that length leads on, a step back where none does. A place that was
// left by a step back is a dead end for good, since what stands before it has one encoding only; so
// each place is entered and left once, and the time is linear in the text, whatever it holds.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tokens/merge_table.hpp"

namespace astraweave::tokens {

class LongBpe {
 public:
  // `merges` is proper and outlives this.
  LongBpe(const MergeTable& merges, const std::vector<bool>& symbols);
  // Turns symbols into tokens, in place.
  void merge(std::vector<TokenId>& symbols) const;

 private:
  // A trie over symbols as one table of its edges.
  struct Edge {
    std::uint64_t key = ~std::uint64_t{0};  // the node it leaves, and the symbol
    std::uint32_t node = 0;                 // where it leads
    TokenId token = kNoToken;               // that ends there
  };
  struct Shape {
    std::uint32_t length = 0;    // in symbols
    TokenId shorter = kNoToken;  // the longest token that this one starts with
  };
  std::size_t slot(std::uint64_t key) const noexcept;
  std::uint32_t length_of(TokenId token);
  void add(TokenId token, std::uint32_t& nodes);
  TokenId longest(std::span<const TokenId> symbols) const noexcept;

  const MergeTable& merges_;
  std::vector<Edge> edges_;  // open addressing
  std::vector<Shape> shapes_;
};

}  // namespace astraweave::tokens
