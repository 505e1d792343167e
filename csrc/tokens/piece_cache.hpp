// What a thread's last pieces of several tokens were cut into: names and rare words come again.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "tokens/vocabulary.hpp"

namespace astraweave::tokens {

// One for each thread, shared by its tokenizers: 256 KB, made when first needed. A piece is
// compared in full, so that a hit is never wrong; one that falls on another's place replaces it.
class PieceCache {
 public:
  static constexpr std::size_t kLongest = 31;  // bytes of a piece that can be kept
  static constexpr std::size_t kIds = 6;

  struct alignas(64) Entry {
    std::array<std::uint64_t, 4> key{};  // the bytes and, in the last one, how many they are
    std::uint32_t owner = 0;             // which model; 0: nothing is kept here
    std::uint32_t count = 0;             // of its tokens
    std::array<TokenId, kIds> ids{};     // these, where they are not more
  };

  static PieceCache& of_this_thread();
  // A number that no other model of this process has.
  static std::uint32_t new_owner() noexcept;

  // Where this piece is kept, or would be: `holds` says which. The piece has at most kLongest
  // bytes.
  Entry& at(std::string_view piece, std::uint32_t owner) noexcept;
  static bool holds(const Entry& entry, std::string_view piece, std::uint32_t owner) noexcept;
  static void keep(Entry& entry, std::string_view piece, std::uint32_t owner,
                   std::span<const TokenId> ids) noexcept;

 private:
  static constexpr int kBits = 12;
  std::unique_ptr<Entry[]> entries_ = std::make_unique<Entry[]>(std::size_t{1} << kBits);
};

}  // namespace astraweave::tokens
