// The tokens that are whole pieces, by their bytes: one probe decides most pieces of a text.
//
// A piece of up to 13 bytes, its length and its token are one entry of 16 bytes, compared as two
// integers. The table is at most half full, so that a probe touches one cache line, nearly always.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokens/piece_key.hpp"
#include "tokens/vocabulary.hpp"

namespace astraweave::tokens {

class PieceTable {
 public:
  // The tokens come one by one through add(); `expected` is about how many there will be.
  explicit PieceTable(std::size_t expected);
  void add(std::string_view bytes, TokenId token);

  TokenId find(std::string_view piece) const noexcept {
    return piece.size() <= PieceKey::kLongest
               ? find(PieceKey::of(piece.data(), piece.size(), piece.size()))
               : find_long(piece, long_hash(piece, piece.size()));
  }
  TokenId find(const PieceKey& key) const noexcept { return find(key, key.hash()); }
  TokenId find(const PieceKey& key, std::uint64_t hash) const noexcept {
    for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
      const Entry& entry = short_[at];
      if (entry.low == key.low && (entry.high & PieceKey::kBits) == key.high) {
        return static_cast<TokenId>(entry.high >> PieceKey::kTokenBit);
      }
      if (entry.high == 0) return kNoToken;
    }
  }
  // Of more bytes than a PieceKey has; `hash` is its long_hash.
  TokenId find_long(std::string_view piece, std::uint64_t hash) const noexcept;

 private:
  struct Entry {
    std::uint64_t low = 0, high = 0;  // high: 5 bytes, the length, the token; 0 where there is none
  };
  struct Long {
    std::uint32_t start = 0, size = 0, hash = 0;  // of the hash the upper half
    TokenId token = kNoToken;
  };
  std::size_t slot(std::string_view bytes, std::uint64_t hash) const noexcept;
  void add_long(std::string_view bytes, TokenId token);

  std::vector<Entry> short_;
  std::size_t mask_;
  std::vector<Long> long_;  // open addressing, grows with its content
  std::size_t longs_ = 0;
  std::string bytes_;
};

}  // namespace astraweave::tokens
