// Hand-written equivalents of the regular expressions by which published byte-level vocabularies
// split text. Each function returns the end of the piece that starts at `at` (never `at` itself).
//
// | scanner | expression                                                                          |
// | gpt2    | 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ | | cl100k
// | (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}                 | | | |
// ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+                                    | | o200k |
// two word forms over upper and lower case, then as cl100k with [\r\n/]*              |
#pragma once

namespace astraweave::tokens {

struct ScanRules {
  enum class Family { kGpt2, kCl100k, kO200k };
  Family family = Family::kGpt2;
  int max_digits = 3;             // a group of digits is cut after so many
  bool contractions = true;       // o200k: "'s" and its kin stay with their word
  bool joins_last_space = false;  // cl100k as tiktoken has it: \s++$ comes before \s*[\r\n]
};

const char* scan(const ScanRules& rules, const char* at, const char* end) noexcept;

}  // namespace astraweave::tokens
