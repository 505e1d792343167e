// Any bytes as texts, terms and changes of a shelf of words: every word that is found keeps the
// promises of splitter.hpp, and a shelf that was changed in many ways scores as a fresh one does.
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "fuzz/fuzz.hpp"
#include "tokens/unicode.hpp"
#include "words/splitter.hpp"
#include "words/stemmer.hpp"
#include "words/word_shelf.hpp"

namespace {

using namespace astraweave::words;  // NOLINT(google-build-using-namespace)
using astraweave::fuzz::Reader;

std::string valid(const std::string& bytes) {
  std::string text;
  astraweave::tokens::append_valid_utf8(bytes, true, text);
  return text;
}

void check_words(const std::string& text) {
  WordList words;
  split_words(text, words);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    FUZZ_CHECK(!word.empty() && word.size() <= kMostBytes);
    FUZZ_CHECK(astraweave::tokens::is_valid_utf8(word));
    FUZZ_CHECK(word.find_first_of(": '\n") == std::string_view::npos);
  }
}

std::vector<float> scores(const WordShelf& shelf, const std::string& query) {
  const WordShelf* const shelves[] = {&shelf};
  const WeightedTerm terms[] = {{query, 1.0F}, {"by:tam", 0.5F}};
  std::vector<float> found(shelf.size());
  score_words(shelves, terms, {}, found);
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Reader reader(data, size);
  std::string word = reader.text(80);
  const std::size_t length = stem(word.data(), word.size());
  FUZZ_CHECK(length <= word.size());
  WordShelf changed(std::make_shared<Vocabulary>());
  std::vector<std::string> texts;
  const WeightedTerm further[] = {{"by:tam", 1.0F}};
  for (std::size_t steps = reader.below(40); steps > 0; --steps) {
    const std::size_t what = reader.below(4);
    const std::size_t row = texts.empty() ? 0 : reader.byte() % texts.size();
    if (what == 0 && !texts.empty()) {
      changed.remove({&row, 1});
      texts.erase(texts.begin() + static_cast<std::ptrdiff_t>(row));
    } else if (what == 1 && !texts.empty()) {
      texts[row] = valid(reader.text(30));
      changed.replace(row, {texts[row], further});
    } else {
      for (std::size_t times = what == 2 ? 1 : 1 + reader.below(40); times > 0; --times) {
        texts.push_back(valid(reader.text(30)));
        changed.append({texts.back(), further});
      }
    }
  }
  FUZZ_CHECK(changed.size() == texts.size());
  const std::string last = valid(std::string(reader.rest()));
  check_words(last);
  WordShelf fresh(std::make_shared<Vocabulary>());
  for (const std::string& text : texts) {
    check_words(text);
    fresh.append({text, further});
  }
  const auto found = scores(changed, last), expected = scores(fresh, last);
  FUZZ_CHECK(found.empty() ||
             std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)) == 0);
  for (const float score : found) FUZZ_CHECK(std::isfinite(score) && score >= 0.0F);
  return 0;
}
