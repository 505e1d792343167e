#include "tokens/characters.hpp"

#include <map>

#include "tokens/unicode.hpp"

namespace astraweave::tokens {
namespace {

constexpr char32_t kLongS = 0x17F;

void add(CharacterMasks& masks, std::uint64_t bit, int flag, bool cased) noexcept {
  const bool letter = (flag & kLetter) != 0;
  const bool upper = (flag & kUpperish) != 0, lower = (flag & kLowerish) != 0;
  if (!cased) {
    (letter ? masks.letters : masks.signs) |= bit;
  } else if (!upper && !lower) {
    if (!letter) masks.signs |= bit;
  } else if (letter || (upper && lower)) {
    masks.letters |= bit;
    if (!lower) masks.capitals |= bit;
    if (upper && lower) masks.both |= bit;
    if (!letter) masks.marks |= bit;
  }
}

}  // namespace

CharacterClasses::CharacterClasses(bool cased, bool numerals_apart) {
  const int left_out = kNumber | kSpace | (numerals_apart ? kNumeric : 0);
  std::map<CharacterMasks, std::uint16_t> known;
  for (std::uint32_t block = 0; block < index_.size(); ++block) {
    CharacterMasks masks;
    for (char32_t i = 0; i < 64; ++i) {
      const char32_t code_point = block * 64 + i;
      const int flag = flags(code_point);
      if ((flag & left_out) != 0 || code_point == kLongS) continue;
      add(masks, std::uint64_t{1} << i, flag, cased);
    }
    const auto [found, is_new] =
        known.try_emplace(masks, static_cast<std::uint16_t>(kinds_.size()));
    if (is_new) kinds_.push_back(masks);
    index_[block] = found->second;
  }
}

const CharacterClasses& CharacterClasses::of(bool cased, bool numerals_apart) {
  if (cased) {
    static const CharacterClasses whole(true, false), apart(true, true);
    return numerals_apart ? apart : whole;
  }
  static const CharacterClasses whole(false, false), apart(false, true);
  return numerals_apart ? apart : whole;
}

}  // namespace astraweave::tokens
