// Words of a text as an index holds them: folded, without accents, stemmed.
//
// Contract: the text is valid UTF-8; whatever it says, time and memory grow with its length alone.
// - Letters, digits and the signs that belong to them make words; everything else parts them.
//   Invisible characters (soft hyphens, joiners, directions) neither part nor count.
// - Letters become small; marks of Latin, Greek, Cyrillic, Hebrew and Arabic fall off, and letters
//   that are one with theirs (ø, ł, æ, ß) become the plain ones. Other scripts keep their marks,
//   which make the word.
// - An apostrophe stays within its word until the stem is taken ("sister's" is "sister", "don't" is
//   "dont"), but behind one or two letters it parts ("l'or" is "l" and "or").
// - Scripts that put no blanks between words (Chinese, Japanese, Korean, Thai, Lao, Burmese, Khmer)
//   give every two neighbours, and ideographs besides each one alone.
// - A word is cut after kMostBytes.
// No word holds a colon: terms that are none (see word_shelf.hpp) have one.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace astraweave::words {

inline constexpr std::size_t kMostBytes = 64;

// Words one after the other in one string, so that a text costs no allocation for each.
class WordList {
 public:
  void clear() noexcept {
    text_.clear();
    ends_.clear();
  }
  std::size_t size() const noexcept { return ends_.size(); }
  std::string_view operator[](std::size_t i) const noexcept {
    const std::size_t start = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(text_).substr(start, ends_[i] - start);
  }
  void push(std::string_view word) {
    text_ += word;
    ends_.push_back(text_.size());
  }

 private:
  std::string text_;
  std::vector<std::size_t> ends_;
};

// Appends the words of `text`, in their order, repeated ones repeated.
void split_words(std::string_view text, WordList& words);

}  // namespace astraweave::words
