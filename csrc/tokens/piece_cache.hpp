// What a thread's last pieces of several tokens were cut into: names and rare words come again.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "tokens/piece_key.hpp"
#include "tokens/vocabulary.hpp"

namespace astraweave::tokens {

// One for each thread and each of the models that it used last. Small at first (128 KB), and as
// long as pieces drive each other out, larger, up to 2.3 MB: a text in one language needs little,
// one of names and many languages much. Pieces are compared in full, so that a hit is never wrong;
// one that falls on another's place replaces it.
class PieceCache {
 public:
  static constexpr std::size_t kLongest = LongKey::kLongest;  // bytes of a piece that can be kept
  static constexpr std::size_t kLongestCounted = 120;         // bytes of one of which the count is
  static constexpr std::size_t kIds = 7;

  struct alignas(64) Entry {
    LongKey key;
    std::uint32_t count = 0;          // of its tokens; 0: nothing is kept here
    std::array<TokenId, kIds> ids{};  // these, where they are not more
  };

  // `owner` is what new_owner() gave the model. Valid until this thread asks for another one's.
  static PieceCache& of_this_thread(std::uint32_t owner);
  static std::uint32_t new_owner() noexcept;  // a number that no other model of this process has

  // The count of a short piece, 0 where it is not known, and the place to keep it.
  std::uint64_t count(const PieceKey& key, std::uint64_t hash) const noexcept {
    const PieceKey& kept = counts_[hash >> counts_shift_];
    return kept.low == key.low && (kept.high & PieceKey::kBits) == key.high
               ? kept.high >> PieceKey::kTokenBit
               : 0;
  }
  void keep(const PieceKey& key, std::uint64_t hash, std::size_t count) noexcept {
    PieceKey& place = counts_[hash >> counts_shift_];
    const bool replaces = place.high != 0;
    place = {key.low, key.high | std::uint64_t{count} << PieceKey::kTokenBit};
    if (replaces && ++counts_lost_ > counts_.size() / 2) grow_counts();
  }

  // Where a piece is kept, or would be: `holds` says which.
  Entry& at(std::uint64_t hash) noexcept {
    if (entries_lost_ > entries_.size() / 2) grow_entries();
    return entries_[hash >> entries_shift_];
  }
  static bool holds(const Entry& entry, const LongKey& key) noexcept {
    return entry.count != 0 && entry.key == key;
  }
  void keep(Entry& entry, const LongKey& key, std::span<const TokenId> ids) noexcept;

  // The same for the count of a piece of at most kLongestCounted bytes, more than kLongest.
  std::size_t count_clause(std::string_view piece, std::uint64_t hash) const noexcept;
  void keep_clause(std::string_view piece, std::uint64_t hash, std::size_t count) noexcept;

 private:
  struct alignas(64) Clause {
    std::array<char, kLongestCounted> bytes;
    std::uint32_t size = 0, count = 0;
  };
  static constexpr int kFewestCountBits = 12, kCountBits = 16;
  static constexpr int kFewestBits = 10, kEntryBits = 14, kClauseBits = 11;

  void grow_counts() noexcept;
  void grow_entries() noexcept;

  int counts_shift_ = 64 - kFewestCountBits, entries_shift_ = 64 - kFewestBits;
  std::size_t counts_lost_ = 0, entries_lost_ = 0;
  std::vector<PieceKey> counts_{std::size_t{1} << kFewestCountBits};
  std::vector<Entry> entries_{std::size_t{1} << kFewestBits};
  std::vector<Clause> clauses_;  // none before the first is kept
};

}  // namespace astraweave::tokens
