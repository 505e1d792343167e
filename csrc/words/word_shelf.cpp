#include "words/word_shelf.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "error.hpp"

namespace astraweave::words {
namespace {

constexpr float kStepsOfWeight = 8.0F;
constexpr std::size_t kFewestToCompact = 64;

using Weights = std::vector<std::pair<Term, float>>;

// Each term once, with the sum of its weights, added in the order in which they came: a world that
// was loaded numbers its terms anew and has to come to the same sums.
void merge(Weights& weights) {
  std::stable_sort(weights.begin(), weights.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::size_t kept = 0;
  for (const auto& [term, weight] : weights) {
    if (kept > 0 && weights[kept - 1].first == term) {
      weights[kept - 1].second += weight;
    } else {
      weights[kept++] = {term, weight};
    }
  }
  weights.resize(kept);
}

bool is_key(std::string_view term) noexcept { return term.find(':') != std::string_view::npos; }

// Calls `use` with every term that `further` stands for, and its weight.
template <class Use>
void each_term(std::span<const WeightedTerm> further, Use&& use) {
  WordList words;
  for (const WeightedTerm& one : further) {
    if (is_key(one.text)) {
      use(one.text, one.weight);
      continue;
    }
    words.clear();
    split_words(one.text, words);
    for (std::size_t i = 0; i < words.size(); ++i) use(words[i], one.weight);
  }
}

std::uint32_t in_eighths(float weight) noexcept {
  const float steps = std::round(weight * kStepsOfWeight);
  return steps >= 255.0F ? 255U : steps >= 1.0F ? static_cast<std::uint32_t>(steps) : 0U;
}

std::size_t spread(Term term) noexcept {
  return static_cast<std::size_t>(term) * 0x9e3779b97f4a7c15u >> 20;
}

constexpr std::uint32_t kSmallestBlock = 4, kLargestBlock = 256;
constexpr std::uint32_t kGrowing = 7;  // blocks until they are large
constexpr std::uint32_t kInGrowing = kSmallestBlock * ((1U << kGrowing) - 1);

std::uint32_t capacity_of(std::uint32_t block) noexcept {
  return block < kGrowing ? kSmallestBlock << block : kLargestBlock;
}

}  // namespace

WordShelf::WordShelf(std::shared_ptr<Vocabulary> vocabulary) : vocabulary_(std::move(vocabulary)) {}

std::size_t WordShelf::bytes() const noexcept {
  return sizeof *this + lists_.capacity() * sizeof(List) + pool_.capacity() * 4 +
         row_of_.capacity() * 4 + length_of_.capacity() * 4;
}

// count > 0
WordShelf::Blocks WordShelf::blocks_of(std::uint32_t count) noexcept {
  const std::uint32_t before = count - 1;
  if (before >= kInGrowing) {
    const std::uint32_t behind = before - kInGrowing;
    return {kGrowing + behind / kLargestBlock, behind % kLargestBlock + 1};
  }
  const auto last = static_cast<std::uint32_t>(std::bit_width((before / kSmallestBlock + 1) >> 1U));
  return {last, count - kSmallestBlock * ((1U << last) - 1)};
}

template <class Use>
void WordShelf::each_posting(const List& list, Use&& use) const {
  if (list.count <= kInline) {
    for (std::uint32_t i = 0; i < list.count; ++i) use(list.here[i]);
    return;
  }
  auto [block, count] = blocks_of(list.count);
  for (std::uint32_t place = list.here[0];; place = pool_[place]) {
    for (std::uint32_t i = 1; i <= count; ++i) use(pool_[place + i]);
    if (block == 0) break;
    count = capacity_of(--block);
  }
}

const WordShelf::List* WordShelf::find(Term term) const noexcept {
  if (lists_.empty()) return nullptr;
  const std::size_t mask = lists_.size() - 1;
  for (std::size_t at = spread(term) & mask;; at = (at + 1) & mask) {
    if (lists_[at].term == term) return &lists_[at];
    if (lists_[at].term == kNoTerm) return nullptr;
  }
}

void WordShelf::grow_lists() {
  std::vector<List> larger(lists_.empty() ? 64 : lists_.size() * 2);
  const std::size_t mask = larger.size() - 1;
  for (const List& list : lists_) {
    if (list.term == kNoTerm) continue;
    std::size_t at = spread(list.term) & mask;
    while (larger[at].term != kNoTerm) at = (at + 1) & mask;
    larger[at] = list;
  }
  lists_.swap(larger);
}

WordShelf::List& WordShelf::list_of(Term term) {
  if ((used_lists_ + 1) * 4 > lists_.size() * 3) grow_lists();
  const std::size_t mask = lists_.size() - 1;
  std::size_t at = spread(term) & mask;
  while (lists_[at].term != term && lists_[at].term != kNoTerm) at = (at + 1) & mask;
  if (lists_[at].term == kNoTerm) {
    lists_[at].term = term;
    ++used_lists_;
  }
  return lists_[at];
}

// A block with room for so many postings, behind the place of the one before it.
std::uint32_t WordShelf::allocate(std::uint32_t capacity, std::uint32_t before) {
  const std::size_t place = pool_.size(), end = place + 1 + capacity;
  if (end >= kGone) {
    throw Error(ErrorCode::kCapacity, "a character has too many words to remember");
  }
  if (end > pool_.capacity()) pool_.reserve(end + end / 4);  // twice would be half of it idle
  pool_.resize(end);
  pool_[place] = before;
  return static_cast<std::uint32_t>(place);
}

void WordShelf::post(Term term, std::uint32_t posting) {
  List& list = list_of(term);
  if (list.count < kInline) {
    list.here[list.count++] = posting;
    return;
  }
  if (list.count == kInline) {
    const std::uint32_t first = allocate(kSmallestBlock, 0);
    std::copy(list.here.begin(), list.here.end(), pool_.begin() + first + 1);
    list.here[0] = first;
  }
  const auto [block, in_it] = blocks_of(list.count + 1);
  if (in_it == 1) list.here[0] = allocate(capacity_of(block), list.here[0]);
  pool_[list.here[0] + in_it] = posting;
  ++list.count;
}

// The slot belongs to no row yet: should memory run out on the way, its postings count for nothing.
std::uint32_t WordShelf::add_slot(const Document& document) {
  WordList words;
  split_words(document.text, words);
  Weights weights;
  weights.reserve(words.size() + document.further.size());
  for (std::size_t i = 0; i < words.size(); ++i)
    weights.emplace_back(vocabulary_->add(words[i]), 1.0F);
  each_term(document.further, [&](std::string_view term, float weight) {
    weights.emplace_back(vocabulary_->add(term), weight);
  });
  merge(weights);
  if (row_of_.size() >= kMostSlots) {
    throw Error(ErrorCode::kCapacity, "a character has too many memories to search");
  }
  const auto slot = static_cast<std::uint32_t>(row_of_.size());
  length_of_.reserve(row_of_.capacity() > slot ? row_of_.capacity() : slot + slot / 2 + 16);
  row_of_.push_back(kGone);
  length_of_.push_back(static_cast<float>(words.size()));
  for (const auto& [term, weight] : weights) {
    if (const std::uint32_t eighths = in_eighths(weight)) post(term, slot << 8 | eighths);
  }
  return slot;
}

void WordShelf::append(const Document& document) {
  compact_if_due();
  const std::uint32_t slot = add_slot(document);
  row_of_[slot] = static_cast<std::uint32_t>(live_);
  total_length_ += static_cast<double>(length_of_[slot]);
  ++live_;
}

void WordShelf::append(std::span<const Document> documents) {
  const std::size_t before = live_;
  try {
    for (const Document& document : documents) append(document);
  } catch (...) {
    for (std::size_t slot = 0; slot < row_of_.size(); ++slot) {
      if (row_of_[slot] == kGone || row_of_[slot] < before) continue;
      row_of_[slot] = kGone;
      total_length_ -= static_cast<double>(length_of_[slot]);
    }
    live_ = before;
    throw;
  }
}

void WordShelf::replace(std::size_t row, const Document& document) {
  compact_if_due();
  const std::uint32_t slot = add_slot(document);
  const auto old = std::find(row_of_.begin(), row_of_.end(), static_cast<std::uint32_t>(row));
  total_length_ += static_cast<double>(length_of_[slot]) -
                   static_cast<double>(length_of_[static_cast<std::size_t>(old - row_of_.begin())]);
  *old = kGone;
  row_of_[slot] = static_cast<std::uint32_t>(row);
}

void WordShelf::remove(std::span<const std::size_t> rows) {
  if (rows.empty()) return;
  for (std::size_t slot = 0; slot < row_of_.size(); ++slot) {
    const std::uint32_t row = row_of_[slot];
    if (row == kGone || row < rows.front()) continue;
    const auto at = std::lower_bound(rows.begin(), rows.end(), row);
    if (at != rows.end() && *at == row) {
      row_of_[slot] = kGone;
      total_length_ -= static_cast<double>(length_of_[slot]);
    } else {
      row_of_[slot] = row - static_cast<std::uint32_t>(at - rows.begin());
    }
  }
  live_ -= rows.size();
}

// Everything anew without the postings of those that are gone; slots become rows.
void WordShelf::compact_if_due() {
  const std::size_t gone = row_of_.size() - live_;
  if (gone < kFewestToCompact || gone * 4 < row_of_.size()) return;
  WordShelf fresh(vocabulary_);
  fresh.row_of_.resize(live_);
  fresh.length_of_.resize(live_);
  for (std::size_t slot = 0; slot < row_of_.size(); ++slot) {
    const std::uint32_t row = row_of_[slot];
    if (row == kGone) continue;
    fresh.row_of_[row] = row;
    fresh.length_of_[row] = length_of_[slot];
  }
  for (const List& list : lists_) {
    if (list.term == kNoTerm) continue;
    each_posting(list, [&](std::uint32_t posting) {
      const std::uint32_t row = row_of_[posting >> 8];
      if (row != kGone) fresh.post(list.term, row << 8 | (posting & 0xFF));
    });
  }
  fresh.live_ = live_;
  fresh.total_length_ = total_length_;
  *this = std::move(fresh);
}

// Named, so that a shelf can let it in.
class Scorer {
 public:
  Scorer(std::span<const WordShelf* const> shelves, const Bm25& bm25, float* scores)
      : shelves_(shelves), k1_(bm25.k1), scores_(scores) {
    double length = 0.0;
    for (const WordShelf* shelf : shelves) {
      rows_ += shelf->size();
      length += shelf->total_length_;
    }
    std::fill_n(scores, rows_, 0.0F);
    const double mean = rows_ > 0 && length > 0.5 ? length / static_cast<double>(rows_) : 1.0;
    base_ = bm25.k1 * (1.0F - bm25.b);
    slope_ = bm25.k1 * bm25.b / static_cast<float>(mean);
  }

  void add(Term term, float weight) const noexcept {
    std::size_t df = 0;
    for (const WordShelf* shelf : shelves_) {
      const WordShelf::List* list = shelf->find(term);
      if (list == nullptr) continue;
      if (shelf->live_ == shelf->row_of_.size()) {
        df += list->count;
      } else {
        shelf->each_posting(*list, [&](std::uint32_t posting) {
          df += shelf->row_of_[posting >> 8] != WordShelf::kGone ? 1U : 0U;
        });
      }
    }
    if (df == 0) return;
    const double n = static_cast<double>(rows_), found = static_cast<double>(df);
    const auto idf = static_cast<float>(std::log1p((n - found + 0.5) / (found + 0.5)));
    float* scores = scores_;
    for (const WordShelf* shelf : shelves_) {
      if (const WordShelf::List* list = shelf->find(term)) {
        add_list(*shelf, *list, weight * idf * (k1_ + 1.0F), scores);
      }
      scores += shelf->size();
    }
  }

 private:
  void add_list(const WordShelf& shelf, const WordShelf::List& list, float factor,
                float* scores) const noexcept {
    shelf.each_posting(list, [&](std::uint32_t posting) {
      const std::uint32_t slot = posting >> 8, row = shelf.row_of_[slot];
      if (row == WordShelf::kGone) return;
      const float tf = static_cast<float>(posting & 0xFF) * (1.0F / kStepsOfWeight);
      scores[row] += factor * tf / (tf + base_ + slope_ * shelf.length_of_[slot]);
    });
  }

  std::span<const WordShelf* const> shelves_;
  std::size_t rows_ = 0;
  float k1_, base_, slope_;
  float* scores_;
};

void score_words(std::span<const WordShelf* const> shelves, std::span<const WeightedTerm> query,
                 const Bm25& bm25, std::span<float> scores) {
  std::size_t rows = 0;
  for (const WordShelf* shelf : shelves) rows += shelf->size();
  if (rows != scores.size()) {
    throw Error(ErrorCode::kUsage, "memories came or went while they were searched");
  }
  if (rows == 0) return;
  const Scorer scorer(shelves, bm25, scores.data());
  const Vocabulary& vocabulary = *shelves.front()->vocabulary();
  Weights wanted;
  std::vector<Term> order;  // scores are added in the order of the question, too
  each_term(query, [&](std::string_view text, float weight) {
    const Term term = vocabulary.find(text);
    if (term == kNoTerm) return;
    wanted.emplace_back(term, weight);
    order.push_back(term);
  });
  merge(wanted);
  for (const Term term : order) {
    const auto one = std::lower_bound(
        wanted.begin(), wanted.end(), term,
        [](const std::pair<Term, float>& a, Term wanted_term) { return a.first < wanted_term; });
    if (one->second != 0.0F) scorer.add(term, std::exchange(one->second, 0.0F));
  }
}

}  // namespace astraweave::words
