#include "words/stemmer.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>

namespace astraweave::words {
namespace {

constexpr char kConsonantY = 'Y';  // a y that is no vowel: first in the word or behind a vowel

bool is_vowel(char c) noexcept {
  return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u' || c == 'y';
}

// The regions are found once: R1 is what follows the first consonant behind a vowel, R2 the same
// within R1. Suffixes are cut from the end, so that both keep their beginnings.
class Word {
 public:
  Word(char* at, std::size_t size) noexcept : at_(at), size_(size) {}

  std::size_t size() const noexcept { return size_; }
  std::string_view view() const noexcept { return {at_, size_}; }
  char operator[](std::size_t i) const noexcept { return at_[i]; }

  void mark_consonant_ys() noexcept {
    for (std::size_t i = 0; i < size_; ++i) {
      if (at_[i] == 'y' && (i == 0 || is_vowel(at_[i - 1]))) at_[i] = kConsonantY;
    }
  }
  void unmark_ys() noexcept { std::replace(at_, at_ + size_, kConsonantY, 'y'); }

  void find_regions() noexcept {
    static constexpr std::string_view kWholeBeginnings[] = {
        "gener", "commun", "arsen", "past", "univers", "later", "emerg", "organ", "inter"};
    r1_ = behind_consonant(0);
    for (const std::string_view beginning : kWholeBeginnings) {
      if (view().starts_with(beginning)) r1_ = beginning.size();
    }
    r2_ = behind_consonant(r1_);
  }

  bool ends_with(std::string_view suffix) const noexcept { return view().ends_with(suffix); }
  // Whether what would be left without `count` letters reaches to the region.
  bool in_r1(std::size_t count) const noexcept { return size_ >= r1_ + count; }
  bool in_r2(std::size_t count) const noexcept { return size_ >= r2_ + count; }
  bool r1_is_empty() const noexcept { return r1_ >= size_; }

  bool has_vowel(std::size_t end) const noexcept { return std::any_of(at_, at_ + end, is_vowel); }

  // Whether the first `end` letters end in a short syllable.
  bool is_short_syllable(std::size_t end) const noexcept {
    if (end == 4 && view().starts_with("past")) return true;
    if (end < 2 || is_vowel(at_[end - 1]) || !is_vowel(at_[end - 2])) return false;
    if (end == 2) return true;
    const char last = at_[end - 1];
    return last != 'w' && last != 'x' && last != kConsonantY && !is_vowel(at_[end - 3]);
  }

  void cut(std::size_t count) noexcept { size_ -= count; }
  void replace(std::size_t count, std::string_view by) noexcept {
    size_ -= count;
    std::memcpy(at_ + size_, by.data(), by.size());
    size_ += by.size();
  }

 private:
  std::size_t behind_consonant(std::size_t from) const noexcept {
    std::size_t i = from;
    while (i < size_ && !is_vowel(at_[i])) ++i;
    while (i < size_ && is_vowel(at_[i])) ++i;
    return std::min(i + 1, size_);
  }

  char* at_;
  std::size_t size_;
  std::size_t r1_ = 0, r2_ = 0;
};

struct Ending {
  std::string_view suffix, by;
};

// The longest of the endings that the word has; they stand longest first.
const Ending* longest(const Word& word, std::span<const Ending> endings) noexcept {
  for (const Ending& ending : endings) {
    if (word.ends_with(ending.suffix)) return &ending;
  }
  return nullptr;
}

constexpr Ending kExceptions[] = {
    {"skis", "ski"},      {"skies", "sky"},   {"idly", "idl"},    {"gently", "gentl"},
    {"ugly", "ugli"},     {"early", "earli"}, {"only", "onli"},   {"singly", "singl"},
    {"sky", "sky"},       {"news", "news"},   {"howe", "howe"},   {"atlas", "atlas"},
    {"cosmos", "cosmos"}, {"bias", "bias"},   {"andes", "andes"},
};

void step_0(Word& word) noexcept {
  for (const std::string_view suffix : {"'s'", "'s", "'"}) {
    if (word.ends_with(suffix)) return word.cut(suffix.size());
  }
}

void step_1a(Word& word) noexcept {
  if (word.ends_with("sses")) {
    word.cut(2);
  } else if (word.ends_with("ied") || word.ends_with("ies")) {
    word.cut(word.size() > 4 ? 2 : 1);
  } else if (word.ends_with("s") && !word.ends_with("us") && !word.ends_with("ss")) {
    if (word.size() >= 2 && word.has_vowel(word.size() - 2)) word.cut(1);
  }
}

// What is left alone behind step 1a.
bool is_finished(const Word& word) noexcept {
  static constexpr std::string_view kFinished[] = {"inning",  "outing",  "canning",
                                                   "herring", "earring", "evening",
                                                   "proceed", "exceed",  "succeed"};
  return std::find(std::begin(kFinished), std::end(kFinished), word.view()) != std::end(kFinished);
}

void mend_1b(Word& word) noexcept {
  const std::size_t size = word.size();
  if (word.ends_with("at") || word.ends_with("bl") || word.ends_with("iz")) {
    word.replace(0, "e");
    return;
  }
  static constexpr std::string_view kDoubles = "bdfgmnprt";
  const bool is_double = size >= 2 && word[size - 1] == word[size - 2] &&
                         kDoubles.find(word[size - 1]) != std::string_view::npos;
  if (is_double) {
    const bool is_whole = size == 3 && (word[0] == 'a' || word[0] == 'e' || word[0] == 'o');
    if (!is_whole) word.cut(1);  // "add", "egg", "odd" end so themselves
  } else if (word.r1_is_empty() && word.is_short_syllable(size)) {
    word.replace(0, "e");
  }
}

void step_1b(Word& word) noexcept {
  for (const std::string_view suffix : {"eedly", "ingly", "edly", "eed", "ing", "ed"}) {
    if (!word.ends_with(suffix)) continue;
    const std::size_t left = word.size() - suffix.size();
    if (suffix.starts_with("ee")) {
      if (word.in_r1(suffix.size())) word.replace(suffix.size(), "ee");
      return;
    }
    if (suffix == "ing" && left == 2 && word[1] == 'y' && !is_vowel(word[0])) {
      return word.replace(4, "ie");  // "dying"
    }
    if (!word.has_vowel(left)) return;
    word.cut(suffix.size());
    return mend_1b(word);
  }
}

void step_1c(Word& word) noexcept {
  const std::size_t size = word.size();
  if (size < 3 || is_vowel(word[size - 2])) return;
  if (word[size - 1] == 'y' || word[size - 1] == kConsonantY) word.replace(1, "i");
}

void step_2(Word& word) noexcept {
  static constexpr Ending kEndings[] = {
      {"ational", "ate"}, {"fulness", "ful"}, {"iveness", "ive"}, {"ization", "ize"},
      {"ousness", "ous"}, {"biliti", "ble"},  {"lessli", "less"}, {"tional", "tion"},
      {"alism", "al"},    {"aliti", "al"},    {"ation", "ate"},   {"entli", "ent"},
      {"fulli", "ful"},   {"iviti", "ive"},   {"ousli", "ous"},   {"ogist", "og"},
      {"abli", "able"},   {"alli", "al"},     {"anci", "ance"},   {"ator", "ate"},
      {"enci", "ence"},   {"izer", "ize"},    {"bli", "ble"},     {"ogi", "og"},
      {"li", ""},
  };
  const Ending* found = longest(word, kEndings);
  if (found == nullptr || !word.in_r1(found->suffix.size())) return;
  const std::size_t left = word.size() - found->suffix.size();
  if (found->suffix == "ogi" && (left == 0 || word[left - 1] != 'l')) return;
  if (found->suffix == "li") {
    static constexpr std::string_view kBeforeLi = "cdeghkmnrt";
    if (left == 0 || kBeforeLi.find(word[left - 1]) == std::string_view::npos) return;
  }
  word.replace(found->suffix.size(), found->by);
}

void step_3(Word& word) noexcept {
  static constexpr Ending kEndings[] = {
      {"ational", "ate"}, {"tional", "tion"}, {"alize", "al"}, {"ative", ""}, {"icate", "ic"},
      {"iciti", "ic"},    {"ical", "ic"},     {"ness", ""},    {"ful", ""},
  };
  const Ending* found = longest(word, kEndings);
  if (found == nullptr || !word.in_r1(found->suffix.size())) return;
  if (found->suffix == "ative" && !word.in_r2(5)) return;
  word.replace(found->suffix.size(), found->by);
}

void step_4(Word& word) noexcept {
  static constexpr Ending kEndings[] = {
      {"ement", ""}, {"able", ""}, {"ance", ""}, {"ence", ""}, {"ible", ""}, {"ment", ""},
      {"ant", ""},   {"ate", ""},  {"ent", ""},  {"ion", ""},  {"ism", ""},  {"iti", ""},
      {"ive", ""},   {"ize", ""},  {"ous", ""},  {"al", ""},   {"er", ""},   {"ic", ""},
  };
  const Ending* found = longest(word, kEndings);
  if (found == nullptr || !word.in_r2(found->suffix.size())) return;
  if (found->suffix == "ion") {
    const std::size_t left = word.size() - 3;
    if (left == 0 || (word[left - 1] != 's' && word[left - 1] != 't')) return;
  }
  word.cut(found->suffix.size());
}

void step_5(Word& word) noexcept {
  const std::size_t size = word.size();
  if (word.ends_with("e")) {
    if (word.in_r2(1) || (word.in_r1(1) && !word.is_short_syllable(size - 1))) word.cut(1);
  } else if (word.ends_with("ll")) {
    if (word.in_r2(1)) word.cut(1);
  }
}

}  // namespace

std::size_t stem(char* at, std::size_t size) noexcept {
  if (size <= 2) return size;
  if (std::any_of(at, at + size, [](char c) { return static_cast<signed char>(c) < 0; })) {
    return size;
  }
  for (const Ending& exception : kExceptions) {
    if (std::string_view(at, size) == exception.suffix) {
      std::memcpy(at, exception.by.data(), exception.by.size());
      return exception.by.size();
    }
  }
  if (at[0] == '\'') std::memmove(at, at + 1, --size);
  Word word(at, size);
  word.mark_consonant_ys();
  word.find_regions();
  step_0(word);
  step_1a(word);
  if (!is_finished(word)) {
    step_1b(word);
    step_1c(word);
    step_2(word);
    step_3(word);
    step_4(word);
    step_5(word);
  }
  word.unmark_ys();
  return word.size();
}

}  // namespace astraweave::words
