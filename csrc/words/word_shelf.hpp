// Which words stand in which memories of one character, and how well memories match a question.
//
// An inverted index in memory, never saved: a text is indexed in about 2 us, faster than postings
// could be read and verified. A shelf has rows 0 to size() - 1 in the order in which they came;
// when rows go, those behind them move up, so that scores lie beside whatever else is kept by row.
//
// A document has words (of its text, weight 1 each), and further terms with weights of their own: a
// term with a colon ("said:tam") is a key and taken as it is, any other is split into words like a
// text. Only the text counts for the length.
//
// Scores are BM25 (Robertson & Zaragoza 2009) with the idf that is never negative,
//   sum over terms of weight * ln(1 + (n - df + 1/2) / (df + 1/2)) * tf (k1 + 1) / (tf + norm),
//   norm = k1 (1 - b + b * length / mean length),
// where n, df and the mean are those of the shelves asked together, never of anybody else's. tf is
// the sum of weights, kept in eighths up to 31.9.
//
// Memory: 4 bytes a posting and half of that in slack, 16 a list (its first two postings lie in
// it), 8 a row. Removing marks the row and moves numbers, 4 bytes a row; the postings of rows that
// are gone leave when they are more than a quarter. Scoring reads the lists of the question's terms
// and writes the scores: for 10,000 rows 40 kB, 1 us, and 3 ns a posting.
//
// Threads: whoever calls holds vocabulary()->callers().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "words/splitter.hpp"
#include "words/vocabulary.hpp"

namespace astraweave::words {

struct WeightedTerm {
  std::string_view text;
  float weight;
};

struct Document {
  std::string_view text;
  std::span<const WeightedTerm> further = {};
};

struct Bm25 {
  float k1 = 1.2F;
  float b = 0.75F;
};

class WordShelf {
 public:
  explicit WordShelf(std::shared_ptr<Vocabulary> vocabulary);

  std::size_t size() const noexcept { return live_; }
  std::size_t bytes() const noexcept;
  const std::shared_ptr<Vocabulary>& vocabulary() const noexcept { return vocabulary_; }

  // Weights are finite; those below one sixteenth count as none.
  void append(const Document& document);
  // All of them, or none and an exception.
  void append(std::span<const Document> documents);
  // row < size().
  void replace(std::size_t row, const Document& document);
  // Ascending, each once and below size().
  void remove(std::span<const std::size_t> rows);

 private:
  friend class Scorer;
  static constexpr std::uint32_t kGone = 0xFFFFFFFF;
  static constexpr unsigned kSlotBits = 24;
  static constexpr std::size_t kMostSlots = std::size_t{1} << kSlotBits;
  static constexpr std::uint32_t kInline = 2;

  // A posting is a slot in the upper 24 bits and the weight in eighths in the lower 8. Slots count
  // documents as they came, replaced ones anew; row_of_ says where they are now.
  //
  // More than kInline postings of a list lie in blocks of pool_, of 4, 8, 16 up to 256 postings,
  // each behind the place of the block before it: growing copies nothing and leaves nothing behind.
  struct List {
    Term term = kNoTerm;
    std::uint32_t count = 0;
    std::array<std::uint32_t, kInline> here{};  // up to kInline postings, or the last block's place
  };
  struct Blocks {
    std::uint32_t last;   // its capacity is 4 << last, at most 256
    std::uint32_t in_it;  // postings in the last one, 1 to its capacity
  };
  static Blocks blocks_of(std::uint32_t count) noexcept;

  template <class Use>
  void each_posting(const List& list, Use&& use) const;
  const List* find(Term term) const noexcept;
  List& list_of(Term term);
  void post(Term term, std::uint32_t posting);
  std::uint32_t allocate(std::uint32_t capacity, std::uint32_t before);
  void grow_lists();
  std::uint32_t add_slot(const Document& document);
  void compact_if_due();

  std::shared_ptr<Vocabulary> vocabulary_;
  std::vector<List> lists_;  // a hash table by term; a power of two, at most three quarters taken
  std::size_t used_lists_ = 0;
  std::vector<std::uint32_t> pool_;
  std::vector<std::uint32_t> row_of_;  // by slot
  std::vector<float> length_of_;       // by slot, in words
  double total_length_ = 0.0;          // of those that are there
  std::size_t live_ = 0;
};

// The scores of all rows of `shelves`, one shelf behind the other; `scores` has room for just them,
// or Error(kUsage). The shelves share one vocabulary. Of terms that mean the same the weights are
// added.
void score_words(std::span<const WordShelf* const> shelves, std::span<const WeightedTerm> query,
                 const Bm25& bm25, std::span<float> scores);

}  // namespace astraweave::words
