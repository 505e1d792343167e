#include "tokens/pieces.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "tokens/unicode.hpp"

namespace astraweave::tokens {
namespace {

bool is_numeric_at(const char* at) noexcept {
  if (static_cast<signed char>(*at) >= 0) return *at >= '0' && *at <= '9';
  return has(decode_utf8(at), kNumeric);
}

const char* after_character(const char* at) noexcept {
  return at + utf8_length(static_cast<unsigned char>(*at));
}

// The starts of a run's groups of three, from the starts of the runs.
std::uint64_t threes(std::uint64_t runs, std::uint64_t digits) noexcept {
  const std::uint64_t inside = digits & digits << 1 & digits << 2 & digits << 3;
  std::uint64_t all = runs;
  for (std::uint64_t next = runs << 3 & inside; next != 0; next = next << 3 & inside) all |= next;
  return all;
}

}  // namespace

PieceRules::PieceRules(ScanRules scan_rules, DigitCut digit_cut) noexcept
    : scan(scan_rules),
      cut(digit_cut),
      characters(&CharacterClasses::of(scan_rules.family == ScanRules::Family::kO200k,
                                       digit_cut != DigitCut::kNone)) {
  const bool gpt2 = scan.family == ScanRules::Family::kGpt2;
  if (cut == DigitCut::kSingle || (!gpt2 && scan.max_digits == 1)) {
    digits = Digits::kSingle;
  } else if (gpt2) {
    digits = cut == DigitCut::kRuns ? Digits::kRuns : Digits::kRunsWithSpace;
  } else {
    digits = Digits::kThrees;
    has_formula = scan.max_digits == 3;
  }
}

PieceFinder::PieceFinder(const PieceRules& rules, std::string_view text) noexcept
    : rules_(rules),
      text_(text),
      classify_bytes_(simd::classify_bytes_kernel(simd::active_tier())) {}

std::size_t PieceFinder::next(std::uint32_t* ends, std::size_t room) noexcept {
  switch (rules_.scan.family) {
    case Family::kGpt2:
      return find<Family::kGpt2>(ends, room);
    case Family::kCl100k:
      return find<Family::kCl100k>(ends, room);
    case Family::kO200k:
      break;
  }
  return find<Family::kO200k>(ends, room);
}

template <ScanRules::Family kFamily>
std::size_t PieceFinder::find(std::uint32_t* ends, std::size_t room) noexcept {
  std::uint32_t *end = ends, *const last = ends + room - kMostAtOnce;
  while (end <= last && at_ < text_.size()) {
    if (rules_.has_formula) {
      std::uint32_t* const found = formula<kFamily>(end);
      if (found != end) {
        end = found;
        continue;
      }
    }
    at_ = scanned_end();
    *end++ = static_cast<std::uint32_t>(at_);
  }
  return static_cast<std::size_t>(end - ends);
}

void PieceFinder::classify() noexcept {
  base_ = at_;
  const std::size_t size = std::min(kWindow, text_.size() - base_);
  classify_bytes_(text_.data() + base_, size, blocks_.data());
  const std::size_t used = (size + 63) / 64;
  blocks_[used] = blocks_[used + 1] = {};
  has_extra_ = add_characters(used);
  classify_at_ = base_ + size == text_.size() ? text_.size() : base_ + size - 64;
}

// Fills in the classes of the characters outside ASCII; false where there are none.
bool PieceFinder::add_characters(std::size_t blocks) noexcept {
  const CharacterClasses& classes = *rules_.characters;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text_.data() + base_);
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < blocks; ++i) all |= blocks_[i].others;
  if (all == 0) return false;
  bool found = false;
  std::uint64_t taken = 0;  // of the next block, by a character that starts before it
  for (std::size_t i = 0; i < blocks; ++i, bytes += 64) {
    std::uint64_t left = blocks_[i].others & ~std::exchange(taken, 0);
    for (; left != 0;) {
      const int at = std::countr_zero(left);
      left &= left - 1;
      if (bytes[at] < 0x80) continue;
      if (!found) std::fill_n(extra_.begin(), blocks + 2, Extra{});
      found = true;
      const char* start = reinterpret_cast<const char*>(bytes) + at;
      const char* stop = start;
      const char32_t character = decode_utf8(stop);
      const std::uint64_t span = (std::uint64_t{1} << (stop - start)) - 1;
      const std::uint64_t here = span << at, there = span >> 1 >> (63 - at);
      left &= ~here;
      taken = there;
      const CharacterMasks& masks = classes[character / 64];
      const auto is = [&](std::uint64_t mask) { return -(mask >> (character % 64) & 1); };
      const std::uint64_t letter = is(masks.letters), sign = is(masks.signs);
      const std::uint64_t capital = is(masks.capitals), both = is(masks.both);
      const std::uint64_t mark = is(masks.marks), known = letter | sign;
      const auto put = [&](std::size_t block, std::uint64_t span_there, std::uint64_t first) {
        blocks_[block].letters |= span_there & letter;
        blocks_[block].capitals |= span_there & capital;
        blocks_[block].others &= ~(span_there & known);
        extra_[block].continuations |= span_there & ~first;
        extra_[block].both |= span_there & both;
        extra_[block].marks |= span_there & mark;
      };
      put(i, here, std::uint64_t{1} << at);
      if (there != 0) put(i + 1, there, 0);
    }
  }
  return found;
}

namespace {

std::uint64_t joined(std::uint64_t low, std::uint64_t high, std::size_t shift) noexcept {
  return low >> shift | high << 1 << (63 - shift);
}

}  // namespace

// The classes of the 64 bytes from `first` on; beyond the text there are none.
simd::ByteClasses PieceFinder::classes_from(std::size_t first) const noexcept {
  const Classes &low = blocks_[first / 64], &high = blocks_[first / 64 + 1];
  const auto both = [&](std::uint64_t Classes::*mask) {
    return joined(low.*mask, high.*mask, first % 64);
  };
  return {both(&Classes::letters), both(&Classes::capitals),    both(&Classes::digits),
          both(&Classes::spaces),  both(&Classes::apostrophes), both(&Classes::newlines),
          both(&Classes::others)};
}

PieceFinder::Extra PieceFinder::extra_from(std::size_t first) const noexcept {
  const Extra &low = extra_[first / 64], &high = extra_[first / 64 + 1];
  const auto both = [&](std::uint64_t Extra::*mask) {
    return joined(low.*mask, high.*mask, first % 64);
  };
  return {both(&Extra::continuations), both(&Extra::both), both(&Extra::marks)};
}

// Finds the pieces of the next 64 bytes, up to the first byte that the formula does not know: of a
// character outside the masks, whitespace that is not one single space or newline, a capital that
// what stands before it may go with or not, the end of what is looked at.
template <ScanRules::Family kFamily>
std::uint32_t* PieceFinder::formula(std::uint32_t* ends) noexcept {
  if (at_ >= classify_at_) classify();
  const simd::ByteClasses is = classes_from(at_ - base_);
  const Extra extra = has_extra_ ? extra_from(at_ - base_) : Extra{};
  const std::uint64_t signs = ~(is.letters | is.digits | is.spaces | is.others);
  // A newline between what is no whitespace. (In one family "/" may go with what ends before it.)
  const std::uint64_t ends_newline =
      is.letters | is.digits | (kFamily == Family::kO200k ? std::uint64_t{0} : signs);
  const std::uint64_t newlines = is.newlines & ends_newline >> 1;
  // NOLINTNEXTLINE(misc-const-correctness): not in every family
  std::uint64_t unknown =
      (is.others & ~newlines) | (is.spaces & is.spaces >> 1) | (is.spaces & is.others >> 1);
  if constexpr (kFamily == Family::kO200k) {
    unknown |=
        (is.capitals & extra.both << 1) | (extra.marks & ~extra.continuations & ~(is.letters << 1));
  }
  const std::uint64_t after_space = is.spaces << 1;
  // The first byte starts a piece, whatever stands before it: nothing is shifted into its bit.
  const std::uint64_t letter_runs = is.letters & ~(is.letters << 1) & ~after_space;
  const std::uint64_t sign_runs = signs & ~(signs << 1) & ~after_space;
  std::uint64_t digit_runs = is.digits & ~(is.digits << 1);
  switch (rules_.digits) {
    case PieceRules::Digits::kRuns:
      break;
    case PieceRules::Digits::kRunsWithSpace:
      digit_runs &= ~after_space;
      break;
    case PieceRules::Digits::kThrees:
      digit_runs = threes(digit_runs, is.digits);
      break;
    case PieceRules::Digits::kSingle:
      digit_runs = is.digits;
      break;
  }
  std::uint64_t starts = is.spaces | sign_runs | digit_runs;
  if constexpr (kFamily == Family::kGpt2) {
    starts |= letter_runs | newlines;
  } else {  // one sign before a word belongs to it, and a newline to the signs before it
    // The sum carries a bit behind the first byte of a sign on to behind its last one.
    const std::uint64_t after_sign = (sign_runs << 1) + extra.continuations;
    starts |= letter_runs & ~(after_sign & ~extra.continuations);
    starts |= newlines & ~(signs << 1);
  }
  if constexpr (kFamily == Family::kO200k) {
    starts |= is.capitals & (is.letters & ~is.capitals) << 1;
  }
  const std::size_t left = text_.size() - at_;
  std::size_t limit = unknown != 0 ? static_cast<std::size_t>(std::countr_zero(unknown)) : 64;
  bool at_end = left <= limit;  // all that is left is known
  limit = std::min(limit, left);

  std::uint64_t marks = is.apostrophes & sign_runs & is.letters >> 1;
  if constexpr (kFamily == Family::kO200k) {  // there one belongs to the word before it
    const std::uint64_t unseen = std::uint64_t{1} << 63;
    marks = is.apostrophes & is.letters << 1 & ((is.letters | is.others) >> 1 | unseen);
    if (!rules_.scan.contractions) marks = 0;
  }
  std::size_t joined = 0;  // where the last contraction ended
  for (; marks != 0; marks &= marks - 1) {
    const auto mark = static_cast<std::size_t>(std::countr_zero(marks));
    if (mark >= limit) break;
    if (kFamily == Family::kO200k && joined == mark) continue;
    if (mark + 3 >= 64 || (is.others >> (mark + 1) & 1) != 0) {  // what it is cannot be seen
      limit = mark;
      at_end = false;
      break;
    }
    const std::size_t length = contraction_length<kFamily>(at_ + mark);
    if (length == 0) continue;
    joined = mark + length;
    const std::uint64_t inside = ((std::uint64_t{1} << length) - 1) << mark;
    starts &= ~(kFamily == Family::kO200k ? inside : inside & inside << 1);
    starts |= std::uint64_t{1} << joined;
  }

  // Each start but the first ends the piece before it.
  std::uint64_t stops = starts & ~std::uint64_t{1};
  if (limit < 64) stops &= (std::uint64_t{1} << limit) - 1;
  auto last = static_cast<std::size_t>(std::bit_width(stops >> 1));
  const auto at = static_cast<std::uint32_t>(at_);
  std::uint32_t* next_end = ends;
  ends += std::popcount(stops);
  // Eight at a time, though there be fewer: how many there are is guessed wrong less often.
  for (; stops != 0; next_end += 8) {
    for (std::size_t i = 0; i < 8; ++i, stops &= stops - 1) {
      next_end[i] = at + static_cast<std::uint32_t>(std::countr_zero(stops));
    }
  }
  if (at_end && limit > 0) {
    last = limit;
    *ends++ = at + static_cast<std::uint32_t>(last);
  } else if (limit > 0 && limit < 64 && unknown >> limit & 1) {
    // A word or number before ASCII whitespace ends there, and whatever is before a space.
    const char next = text_[at_ + limit];
    const bool is_other = (is.others >> limit & 1) != 0;
    const bool in_word = (((is.letters | is.digits) >> (limit - 1)) & 1) != 0;
    if (next == ' ' || (in_word && is_other && static_cast<signed char>(next) >= 0)) {
      last = limit;
      *ends++ = at + static_cast<std::uint32_t>(last);
    }
  }
  at_ += last;
  return ends;
}

// How long the contraction is that starts with this apostrophe; 0 where it is none.
template <ScanRules::Family kFamily>
std::size_t PieceFinder::contraction_length(std::size_t apostrophe) const noexcept {
  const auto letter = [&](std::size_t i) {
    const char c = apostrophe + i < text_.size() ? text_[apostrophe + i] : '\0';
    return kFamily == Family::kGpt2 ? c : static_cast<char>(c | 0x20);
  };
  const char first = letter(1), second = letter(2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  const bool two = (first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
                   (first == 'l' && second == 'l');
  return two ? 3 : 0;
}

std::size_t PieceFinder::scanned_end() noexcept {
  const char *start = text_.data(), *at = start + at_, *end = start + text_.size();
  if (rules_.cut != DigitCut::kNone) {
    if (at_ >= segment_end_) {
      const char* stop = after_character(at);
      const bool number = is_numeric_at(at);
      if (!number || rules_.cut == DigitCut::kRuns) {
        while (stop < end && is_numeric_at(stop) == number) stop = after_character(stop);
      }
      segment_end_ = static_cast<std::size_t>(stop - start);
    }
    end = start + segment_end_;
  }
  return static_cast<std::size_t>(tokens::scan(rules_.scan, at, end) - start);
}

}  // namespace astraweave::tokens
