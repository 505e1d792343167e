// The tokens that are whole pieces, by their bytes: one probe decides most pieces of a text.
//
// A piece of up to 13 bytes, its length and its token are one entry of 16 bytes, compared as two
// integers. The table is at most half full, so that a probe touches one cache line, nearly always.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "tokens/vocabulary.hpp"

namespace astraweave::tokens {

// The bytes of a short piece as two integers, with the length above them.
struct PieceKey {
  static constexpr std::size_t kLongest = 13;
  static constexpr int kLengthBit = 40, kTokenBit = 44;
  static constexpr std::uint64_t kBits = (std::uint64_t{1} << kTokenBit) - 1;

  std::uint64_t low, high;

  // `readable`: how many bytes may be read from `data` on, at least `size`.
  static PieceKey of(const char* data, std::size_t size, std::size_t readable) noexcept {
    std::uint64_t words[2] = {0, 0};
    if constexpr (std::endian::native == std::endian::little) {
      if (readable >= 16) {
        std::memcpy(words, data, 16);
        return cut(words[0], words[1], size);
      }
    }
    std::memcpy(words, data, size);
    return cut(words[0], words[1], size);
  }
  std::uint64_t hash() const noexcept {
    std::uint64_t mixed = (low ^ std::rotl(high * 0x9E3779B97F4A7C15u, 29)) * 0xD6E8FEB86659FD93u;
    return mixed ^ mixed >> 32;
  }

 private:
  static PieceKey cut(std::uint64_t low, std::uint64_t high, std::size_t size) noexcept {
    static constexpr auto kMasks = [] {
      std::array<PieceKey, kLongest + 1> masks{};
      for (std::size_t i = 0; i <= kLongest; ++i) {
        const std::uint64_t all = ~std::uint64_t{0};
        masks[i].low = i >= 8 ? all : (std::uint64_t{1} << (8 * i)) - 1;
        masks[i].high = i <= 8 ? 0 : (std::uint64_t{1} << (8 * (i - 8))) - 1;
      }
      return masks;
    }();
    return {low & kMasks[size].low, (high & kMasks[size].high) | std::uint64_t{size} << kLengthBit};
  }
};

class PieceTable {
 public:
  // The tokens come one by one through add(); `expected` is about how many there will be.
  explicit PieceTable(std::size_t expected);
  void add(std::string_view bytes, TokenId token);

  TokenId find(std::string_view piece) const noexcept {
    return piece.size() <= PieceKey::kLongest
               ? find(PieceKey::of(piece.data(), piece.size(), piece.size()))
               : find_long(piece);
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
  TokenId find_long(std::string_view piece) const noexcept;

 private:
  struct Entry {
    std::uint64_t low = 0, high = 0;  // high: 5 bytes, the length, the token; 0 where there is none
  };
  struct Long {
    std::uint32_t start = 0, size = 0;
    TokenId token = kNoToken;
  };
  std::size_t slot(std::string_view bytes) const noexcept;
  void add_long(std::string_view bytes, TokenId token);

  std::vector<Entry> short_;
  std::size_t mask_;
  std::vector<Long> long_;  // open addressing, grows with its content
  std::size_t longs_ = 0;
  std::string bytes_;
};

}  // namespace astraweave::tokens
