// What a thread's last pieces of several tokens were cut into: names and rare words come again.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "tokens/piece_table.hpp"

namespace astraweave::tokens {

// One for each thread and each of the models that it used last; 128 KB, made when first needed.
// Pieces are compared in full, so that a hit is never wrong; one that falls on another's place
// replaces it.
class PieceCache {
 public:
  static constexpr std::size_t kLongest = 31;  // bytes of a piece that can be kept
  static constexpr std::size_t kIds = 7;

  struct alignas(64) Entry {
    std::array<std::uint64_t, 4> key{};  // the bytes and, in the last one, how many they are
    std::uint32_t count = 0;             // of its tokens; 0: nothing is kept here
    std::array<TokenId, kIds> ids{};     // these, where they are not more
  };

  // `owner` is what new_owner() gave the model. Valid until this thread asks for another one's.
  static PieceCache& of_this_thread(std::uint32_t owner);
  static std::uint32_t new_owner() noexcept;  // a number that no other model of this process has

  // The count of a short piece, 0 where it is not known, and the place to keep it.
  std::uint64_t count(const PieceKey& key, std::uint64_t hash) const noexcept {
    const PieceKey& kept = counts_[place(hash)];
    return kept.low == key.low && (kept.high & PieceKey::kBits) == key.high
               ? kept.high >> PieceKey::kTokenBit
               : 0;
  }
  void keep(const PieceKey& key, std::uint64_t hash, std::size_t count) noexcept {
    counts_[place(hash)] = {key.low, key.high | std::uint64_t{count} << PieceKey::kTokenBit};
  }

  // Where a piece of at most kLongest bytes is kept, or would be: `holds` says which.
  Entry& at(std::string_view piece) noexcept;
  static bool holds(const Entry& entry, std::string_view piece) noexcept;
  static void keep(Entry& entry, std::string_view piece, std::span<const TokenId> ids) noexcept;

 private:
  static constexpr int kCountBits = 12, kEntryBits = 10;
  static std::size_t place(std::uint64_t hash) noexcept { return hash >> (64 - kCountBits); }

  std::array<PieceKey, std::size_t{1} << kCountBits> counts_{};
  std::array<Entry, std::size_t{1} << kEntryBits> entries_{};
};

}  // namespace astraweave::tokens
