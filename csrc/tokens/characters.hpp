// The characters outside ASCII as PieceFinder's formula takes them: 64 neighbours by one look-up.
//
// A character that is in none of the masks is one that the formula leaves to scan(): numbers,
// whitespace, and U+017F, which ends contractions.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace astraweave::tokens {

struct CharacterMasks {
  std::uint64_t letters = 0;   // with those of the next three
  std::uint64_t capitals = 0;  // upper or title case
  std::uint64_t both = 0;      // of no case: they go with capitals and with small letters
  std::uint64_t marks = 0;     // of these, the ones that are letters only behind one
  std::uint64_t signs = 0;     // neither letter nor number nor whitespace
  auto operator<=>(const CharacterMasks&) const = default;
};

class CharacterClasses {
 public:
  // `cased`: the scanner tells upper from lower case. `numerals_apart`: what stands for a number is
  // cut off, though it be a letter. One for each pair of answers, built when first asked for.
  static const CharacterClasses& of(bool cased, bool numerals_apart);

  // Of the 64 characters from 64 * `block` on; `block` < 0x4400.
  const CharacterMasks& operator[](std::uint32_t block) const noexcept {
    return kinds_[index_[block]];
  }

 private:
  CharacterClasses(bool cased, bool numerals_apart);

  std::array<std::uint16_t, 0x110000 / 64> index_;
  std::vector<CharacterMasks> kinds_;
};

}  // namespace astraweave::tokens
