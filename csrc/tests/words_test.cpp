// Stems, folding, and a shelf against a list: appended, replaced, removed, compacted.
#include <cmath>
#include <string>
#include <vector>

#include "error.hpp"
#include "tests/check.hpp"
#include "words/splitter.hpp"
#include "words/stemmer.hpp"
#include "words/word_shelf.hpp"

namespace astraweave::tests {
namespace {

using words::Document;
using words::Vocabulary;
using words::WeightedTerm;
using words::WordShelf;

std::string stemmed(std::string word) {
  word.resize(words::stem(word.data(), word.size()));
  return word;
}

std::string split(std::string_view text) {
  words::WordList found;
  words::split_words(text, found);
  std::string joined;
  for (std::size_t i = 0; i < found.size(); ++i) {
    joined += i == 0 ? "" : " ";
    joined += found[i];
  }
  return joined;
}

void test_stems() {
  CHECK(stemmed("") == "");
  CHECK(stemmed("by") == "by");
  CHECK(stemmed("caresses") == "caress");
  CHECK(stemmed("hoping") == "hope");
  CHECK(stemmed("hopping") == "hop");
  CHECK(stemmed("nationalization") == "nation");
  CHECK(stemmed("univers") == "univer");
  CHECK(stemmed("skies") == "sky");
  CHECK(stemmed("\xC3\xA9tudes") == "\xC3\xA9tudes");
}

void test_words() {
  CHECK(split("") == "");
  CHECK(split("My sister's KETTLES!") == "my sister kettl");
  CHECK(split("na\xC3\xAFve \xC5\x81\xC3\xB3"
              "d\xC5\xBA") == "naiv lodz");
  CHECK(split("l'or d'eau don't") == "l or d eau dont");
  CHECK(split("\xE6\x8C\x87\xE8\xBC\xAA") == "\xE6\x8C\x87 \xE8\xBC\xAA \xE6\x8C\x87\xE8\xBC\xAA");
  CHECK(split(std::string(1000, 'x')).size() == words::kMostBytes);
}

std::vector<float> scores(const WordShelf& shelf, std::string_view word) {
  const WordShelf* const shelves[] = {&shelf};
  const WeightedTerm query[] = {{word, 1.0F}};
  std::vector<float> found(shelf.size());
  words::score_words(shelves, query, {}, found);
  return found;
}

void test_rows_move_up() {
  WordShelf shelf(std::make_shared<Vocabulary>());
  for (int i = 0; i < 500; ++i) {
    shelf.append({i % 3 == 0 ? "a silver ring" : "a copper kettle", {}});
  }
  for (std::size_t round = 0; round < 30; ++round) {  // past several compactions
    const std::size_t gone[] = {0, 3, 5 + round};
    shelf.remove(gone);
    shelf.append({"a silver ring"});
    shelf.replace(2, {"an old map"});
    CHECK(shelf.size() == 500 - 2 * (round + 1));
    const auto found = scores(shelf, "rings");
    CHECK(found.back() > 0.0F && found[2] == 0.0F);
    CHECK(scores(shelf, "maps")[2] > 0.0F);
    CHECK(scores(shelf, "sword")[0] == 0.0F);
  }
  std::vector<std::size_t> all(shelf.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  shelf.remove(all);
  CHECK(shelf.size() == 0);
  shelf.append({"a silver ring"});
  CHECK(scores(shelf, "ring").size() == 1);
}

void test_keys_are_no_words() {
  WordShelf shelf(std::make_shared<Vocabulary>());
  const WeightedTerm further[] = {{"by:tam", 1.0F}, {"Mira", 0.5F}};
  shelf.append({"by tam: a ring", {}});
  shelf.append({"a ring", further});
  CHECK(scores(shelf, "by:tam")[0] == 0.0F && scores(shelf, "by:tam")[1] > 0.0F);
  CHECK(scores(shelf, "mira")[1] > 0.0F);
  CHECK(scores(shelf, "tam")[0] > 0.0F && scores(shelf, "tam")[1] == 0.0F);
}

void test_rarity_is_that_of_the_shelf() {
  const auto vocabulary = std::make_shared<Vocabulary>();
  WordShelf mine(vocabulary), theirs(vocabulary);
  mine.append({"a ring"});
  mine.append({"a crown"});
  const float alone = scores(mine, "ring")[0];
  for (int i = 0; i < 50; ++i) theirs.append({"a ring"});
  CHECK(scores(mine, "ring")[0] == alone);
  const WordShelf* const both[] = {&mine, &theirs};
  const WeightedTerm query[] = {{"ring", 1.0F}};
  std::vector<float> found(52);
  words::score_words(both, query, {}, found);
  CHECK(found[0] < alone && found[1] == 0.0F && found[51] == found[0]);
}

void test_a_word_in_everything_counts_little_but_not_less_than_nothing() {
  WordShelf shelf(std::make_shared<Vocabulary>());
  for (int i = 0; i < 40; ++i) shelf.append({"the ring"});
  for (const float score : scores(shelf, "ring")) CHECK(score > 0.0F && score < 0.1F);
}

}  // namespace

void run_words_tests() {
  test_stems();
  test_words();
  test_rows_move_up();
  test_keys_are_no_words();
  test_rarity_is_that_of_the_shelf();
  test_a_word_in_everything_counts_little_but_not_less_than_nothing();
}

}  // namespace astraweave::tests
