#include "tokens/pieces.hpp"

#include <algorithm>
#include <bit>

#include "tokens/unicode.hpp"

namespace astraweave::tokens {
namespace {

// 64 bits from any bit on; the word after the last has to be there.
std::uint64_t bits_from(const std::uint64_t* words, std::size_t bit) noexcept {
  const std::size_t word = bit / 64, shift = bit % 64;
  return words[word] >> shift | words[word + 1] << 1 << (63 - shift);
}

bool bit_at(const std::uint64_t* words, std::size_t bit) noexcept {
  return (words[bit / 64] >> (bit % 64) & 1) != 0;
}

bool is_numeric_at(const char* at) noexcept { return has(decode_utf8(at), kNumeric); }

const char* after_character(const char* at) noexcept {
  return at + utf8_length(static_cast<unsigned char>(*at));
}

}  // namespace

PieceRules::PieceRules(ScanRules scan, DigitCut digits) noexcept : scan_(scan), digits_(digits) {
  for (int byte = 0; byte < 256; ++byte) {
    const bool letter = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
    const bool digit = byte >= '0' && byte <= '9';
    const bool newline = byte == '\r' || byte == '\n';
    // A contraction may start with the apostrophe; what is not ASCII has to be looked up.
    bool leads = byte < 0x80 && !letter && !digit && !newline && byte != '\'';
    if (scan.family == ScanRules::Family::kGpt2) leads = byte == ' ';
    before_word_[static_cast<std::size_t>(byte)] = letter  ? std::uint8_t{0}
                                                   : leads ? std::uint8_t{1}
                                                           : kNoWord;
  }
}

PieceFinder::PieceFinder(const PieceRules& rules, std::string_view text) noexcept
    : rules_(rules), text_(text), byte_classes_(simd::byte_classes_kernel(simd::active_tier())) {}

std::size_t PieceFinder::next(std::uint32_t* ends, std::size_t room) noexcept {
  return rules_.scan().family == ScanRules::Family::kO200k ? find<true>(ends, room)
                                                           : find<false>(ends, room);
}

template <bool kByCase>
std::size_t PieceFinder::find(std::uint32_t* ends, std::size_t room) noexcept {
  std::size_t found = 0;
  while (found < room && at_ < text_.size()) {
    if (at_ >= classify_at_) classify();
    const std::uint8_t before = rules_.bytes_before_word(text_[at_]);
    std::size_t stop = 0;
    if (before != PieceRules::kNoWord) stop = word_end<kByCase>(at_ - base_ + before);
    at_ = stop != 0 ? base_ + stop : other_end();
    ends[found++] = static_cast<std::uint32_t>(at_);
  }
  return found;
}

// Where the word whose letters start at bit `first` ends; 0 where there is none, or where it does
// not end for certain: before a character that is not ASCII, or past what is looked at.
template <bool kByCase>
std::size_t PieceFinder::word_end(std::size_t first) const noexcept {
  const std::uint64_t letters = bits_from(letters_.data(), first);
  std::size_t length;
  if constexpr (kByCase) {  // capitals, then small letters
    const std::uint64_t capitals = bits_from(capitals_.data(), first);
    const auto upper = static_cast<std::size_t>(std::countr_one(capitals));
    if (upper == 64) return 0;
    length = upper + static_cast<std::size_t>(std::countr_one((letters & ~capitals) >> upper));
  } else {
    length = static_cast<std::size_t>(std::countr_one(letters));
  }
  const std::size_t stop = first + length;
  if (length == 0 || length >= 64 || bit_at(high_.data(), stop)) return 0;
  if constexpr (kByCase) {
    if (base_ + stop < text_.size() && text_[base_ + stop] == '\'') return 0;
  }
  return stop;
}

void PieceFinder::classify() noexcept {
  base_ = at_;
  const std::size_t size = std::min(kWindow, text_.size() - base_);
  byte_classes_(text_.data() + base_, size, {letters_.data(), capitals_.data(), high_.data()});
  for (std::size_t word = (size + 63) / 64, i = word; i < word + 2; ++i) {
    letters_[i] = capitals_[i] = high_[i] = 0;
  }
  // A word is looked at for 66 bytes; the zeros past the end of the text are its true end.
  classify_at_ = base_ + size == text_.size() ? text_.size() : base_ + size - 66;
}

std::size_t PieceFinder::other_end() noexcept {
  const char *start = text_.data(), *at = start + at_, *end = start + text_.size();
  if (rules_.digits() != DigitCut::kNone) {
    if (at_ >= segment_end_) {
      const char* stop = after_character(at);
      const bool number = is_numeric_at(at);
      if (!number || rules_.digits() == DigitCut::kRuns) {
        while (stop < end && is_numeric_at(stop) == number) stop = after_character(stop);
      }
      segment_end_ = static_cast<std::size_t>(stop - start);
    }
    end = start + segment_end_;
  }
  return static_cast<std::size_t>(tokens::scan(rules_.scan(), at, end) - start);
}

}  // namespace astraweave::tokens
