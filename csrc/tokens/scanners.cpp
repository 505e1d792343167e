#include "tokens/scanners.hpp"

#include "tokens/unicode.hpp"

namespace astraweave::tokens {
namespace {

constexpr int kNotOther = kSpace | kLetter | kNumber;

// Steps over one character that has (or has not) one of the classes.
bool step_if(const char*& at, const char* end, int mask, bool wanted = true) noexcept {
  if (at >= end) return false;
  const char* next = at;
  if (has(decode_utf8(next), mask) != wanted) return false;
  at = next;
  return true;
}

const char* run(const char* at, const char* end, int mask, bool wanted = true) noexcept {
  while (step_if(at, end, mask, wanted)) {
  }
  return at;
}

bool is_newline(char c) noexcept { return c == '\r' || c == '\n'; }

// "'s", "'re" and so on; the end of it, or `at` where there is none. Case folding lets U+017F stand
// for an s.
const char* contraction(const char* at, const char* end, bool any_case) noexcept {
  if (end - at < 2 || *at != '\'') return at;
  const auto letter = [&](int i) -> char {
    if (end - at <= i) return 0;
    const char c = at[i];
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  const char first = letter(1), second = letter(2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
      (first == 'l' && second == 'l')) {
    return at + 3;
  }
  if (any_case && end - at >= 3 && at[1] == '\xC5' && at[2] == '\xBF') return at + 3;
  return at;
}

// \s+(?!\S)|\s+ : all of a run at the end of the text, else all but its last character.
const char* spaces(const char* at, const char* end) noexcept {
  const char *last = at, *stop = at;
  for (const char* next = at; step_if(next, end, kSpace);) {
    last = stop;
    stop = next;
  }
  return stop == end || last == at ? stop : last;
}

// \s*[\r\n]+ : through the last newline of the run; `at` where it has none.
const char* through_newline(const char* at, const char* end) noexcept {
  const char* found = at;
  for (const char* next = at; step_if(next, end, kSpace);) {
    if (is_newline(next[-1])) found = next;
  }
  return found;
}

//  ?[^\s\p{L}\p{N}]+[\r\n]* ; `at` where there is none.
const char* others(const char* at, const char* end, bool newlines, bool slashes) noexcept {
  const char* start = at + (*at == ' ' ? 1 : 0);
  const char* stop = run(start, end, kNotOther, false);
  if (stop == start) return at;
  while (stop < end && ((newlines && is_newline(*stop)) || (slashes && *stop == '/'))) ++stop;
  return stop;
}

const char* digits(const char* at, const char* end, int most) noexcept {
  for (int i = 0; i < most && step_if(at, end, kNumber); ++i) {
  }
  return at;
}

const char* scan_gpt2(const char* at, const char* end) noexcept {
  if (const char* stop = contraction(at, end, false); stop != at) return stop;
  const char* start = at + (*at == ' ' ? 1 : 0);
  if (const char* stop = run(start, end, kLetter); stop != start) return stop;
  if (const char* stop = run(start, end, kNumber); stop != start) return stop;
  if (const char* stop = others(at, end, false, false); stop != at) return stop;
  return spaces(at, end);
}

const char* tail(const ScanRules& rules, const char* at, const char* end, bool slashes) noexcept {
  if (const char* stop = digits(at, end, rules.max_digits); stop != at) return stop;
  if (const char* stop = others(at, end, true, slashes); stop != at) return stop;
  if (rules.joins_last_space && run(at, end, kSpace) == end) return end;
  if (const char* stop = through_newline(at, end); stop != at) return stop;
  return spaces(at, end);
}

const char* scan_cl100k(const ScanRules& rules, const char* at, const char* end) noexcept {
  if (const char* stop = contraction(at, end, true); stop != at) return stop;
  const char* start = at;
  if (!is_newline(*at)) step_if(start, end, kLetter | kNumber, false);
  if (const char* stop = run(start, end, kLetter); stop != start) return stop;
  return tail(rules, at, end, false);
}

// [Lu Lt Lm Lo M]*[Ll Lm Lo M]+ with a regular expression's backtracking; null where it fails.
const char* lower_word(const char* at, const char* end) noexcept {
  const char* last_both = nullptr;  // the end of the last character that is of both classes
  const char* stop = at;
  for (const char* next = at; step_if(next, end, kUpperish); stop = next) {
    const char* probe = stop;
    if (has(decode_utf8(probe), kLowerish)) last_both = next;
  }
  if (const char* lower = run(stop, end, kLowerish); lower != stop) return lower;
  return last_both;
}

// [Lu Lt Lm Lo M]+[Ll Lm Lo M]* ; null where it fails.
const char* upper_word(const char* at, const char* end) noexcept {
  const char* stop = run(at, end, kUpperish);
  return stop == at ? nullptr : run(stop, end, kLowerish);
}

const char* scan_o200k(const ScanRules& rules, const char* at, const char* end) noexcept {
  const char* prefixed = at;
  if (!is_newline(*at)) step_if(prefixed, end, kLetter | kNumber, false);
  for (const auto word : {lower_word, upper_word}) {
    const char* stop = word(prefixed, end);
    if (stop == nullptr && prefixed != at) stop = word(at, end);
    if (stop != nullptr) return rules.contractions ? contraction(stop, end, true) : stop;
  }
  return tail(rules, at, end, true);
}

}  // namespace

const char* scan(const ScanRules& rules, const char* at, const char* end) noexcept {
  switch (rules.family) {
    case ScanRules::Family::kGpt2:
      return scan_gpt2(at, end);
    case ScanRules::Family::kCl100k:
      return scan_cl100k(rules, at, end);
    case ScanRules::Family::kO200k:
      break;
  }
  return scan_o200k(rules, at, end);
}

}  // namespace astraweave::tokens
