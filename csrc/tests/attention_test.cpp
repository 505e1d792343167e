// Attention over whole steps: against exact arithmetic, and against itself in other company.
#include "decoder/attention.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <thread>
#include <vector>

#include "error.hpp"
#include "tests/check.hpp"

namespace astraweave::tests {
namespace {

using decoder::Attention;
using decoder::KvPages;
using decoder::KvShape;

constexpr std::size_t kLayers = 2, kKvHeads = 2, kGroup = 3, kHeadSize = 32;
constexpr std::size_t kHeads = kKvHeads * kGroup;

// What stands at a position of a story: the same numbers whenever it is asked. Stories begin alike:
// up to `common` a story is story 0.
struct Story {
  unsigned number;
  std::size_t common;

  std::vector<float> row(std::size_t position, std::size_t layer, unsigned kind,
                         std::size_t n) const {
    const unsigned whose = position < common ? 0 : number;
    std::uint64_t state = whose * 1000003u + position * 101u + layer * 11u + kind + 1;
    std::vector<float> values(n);
    for (float& value : values) {  // xorshift; numbers from -2 to 2
      state = (state ^ state << 13) * 0x9e3779b97f4a7c15u;
      state ^= state >> 29;
      value = static_cast<float>(static_cast<std::int32_t>(state >> 32)) * 0x1p-30f;
    }
    return values;
  }
};

enum : unsigned { kQuery, kKey, kValue };

class Model {
 public:
  Model(simd::KvKind kind, std::size_t threads)
      : pages_({kLayers, kKvHeads, kHeadSize, kind}, std::size_t{1} << 26, 32, 4096),
        attention_(pages_, kHeads, 0.17f, threads),
        threads_(threads) {}

  KvPages& pages() { return pages_; }

  // Appends to each sequence; the results of its new rows, both layers side by side.
  struct Turn {
    KvPages::Sequence sequence;
    Story story;
    std::size_t count;
  };
  std::vector<std::vector<float>> step(const std::vector<Turn>& turns) {
    std::vector<KvPages::Growth> growths;
    std::vector<Attention::Part> parts;
    for (const Turn& turn : turns) {
      growths.push_back({turn.sequence, turn.count});
      parts.push_back({turn.sequence, pages_.length(turn.sequence), turn.count});
    }
    pages_.append(growths);
    attention_.prepare(parts);
    const std::size_t rows = attention_.rows();
    std::vector<std::vector<float>> results(rows);
    for (std::size_t layer = 0; layer < kLayers; ++layer) {
      std::vector<float> queries, keys, values, out(rows * (kHeads * kHeadSize + 5), NAN);
      for (const Attention::Part& part : parts) {
        const Story& story = turns[static_cast<std::size_t>(&part - parts.data())].story;
        for (std::size_t at = part.first; at < part.first + part.count; ++at) {
          append(queries, story.row(at, layer, kQuery, kHeads * kHeadSize));
          append(keys, story.row(at, layer, kKey, kKvHeads * kHeadSize));
          append(values, story.row(at, layer, kValue, kKvHeads * kHeadSize));
        }
      }
      const Attention::Rows key_rows{keys.data(), kKvHeads * kHeadSize};
      const Attention::Rows value_rows{values.data(), kKvHeads * kHeadSize};
      attention_.write(layer, rows / 2, rows, key_rows, value_rows);
      attention_.write(layer, 0, rows / 2, key_rows, value_rows);
      run(layer, {queries.data(), kHeads * kHeadSize}, {out.data(), kHeads * kHeadSize + 5});
      for (std::size_t r = 0; r < rows; ++r) {
        const float* from = out.data() + r * (kHeads * kHeadSize + 5);
        results[r].insert(results[r].end(), from, from + kHeads * kHeadSize);
      }
    }
    return results;
  }

 private:
  static void append(std::vector<float>& to, const std::vector<float>& row) {
    to.insert(to.end(), row.begin(), row.end());
  }

  void run(std::size_t layer, Attention::Rows queries, Attention::Out out) {
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
      simd::AlignedVector<float> scratch(attention_.scratch_floats());
      for (std::size_t i = next++; i < attention_.items(); i = next++) {
        attention_.run(i, layer, queries, out, scratch.data());
      }
    };
    std::vector<std::thread> others;
    for (std::size_t t = 1; t < threads_; ++t) others.emplace_back(work);
    work();
    for (std::thread& other : others) other.join();
  }

  KvPages pages_;
  Attention attention_;
  std::size_t threads_;
};

// Attention of one row in double precision, over numbers that were never stored.
std::vector<double> exact(const Story& story, std::size_t position, std::size_t layer,
                          std::vector<double>& largest) {
  const auto query = story.row(position, layer, kQuery, kHeads * kHeadSize);
  std::vector<double> out(kHeads * kHeadSize), totals(kHeads);
  largest.assign(kHeads * kHeadSize, 0);
  for (std::size_t t = 0; t <= position; ++t) {
    const auto key = story.row(t, layer, kKey, kKvHeads * kHeadSize);
    const auto value = story.row(t, layer, kValue, kKvHeads * kHeadSize);
    for (std::size_t h = 0; h < kHeads; ++h) {
      const std::size_t from = h / kGroup * kHeadSize;
      double score = 0;
      for (std::size_t d = 0; d < kHeadSize; ++d) {
        score += double{query[h * kHeadSize + d]} * key[from + d];
      }
      const double weight = std::exp(score * 0.17f);
      totals[h] += weight;
      for (std::size_t d = 0; d < kHeadSize; ++d) {
        out[h * kHeadSize + d] += weight * value[from + d];
        double& most = largest[h * kHeadSize + d];
        most = std::max(most, double{std::abs(value[from + d])});
      }
    }
  }
  for (std::size_t i = 0; i < out.size(); ++i) out[i] /= totals[i / kHeadSize];
  return out;
}

// What each position of a story yields, step by step; every way of computing it has to agree with
// the first that was seen.
class Ledger {
 public:
  void add(const Story& story, std::size_t position, const std::vector<float>& row) {
    for (const float x : row) CHECK(std::isfinite(x));
    const unsigned whose = position < story.common ? 0 : story.number;
    const auto [entry, fresh] = seen_.try_emplace({whose, position}, row);
    CHECK(fresh || entry->second == row);
  }
  void check_against_exact(const Story& story, double bound) const {
    for (const auto& [place, row] : seen_) {
      if (place.first != story.number || place.second % 23 != 0) continue;
      for (std::size_t layer = 0; layer < kLayers; ++layer) {
        std::vector<double> largest;
        const auto want = exact(story, place.second, layer, largest);
        for (std::size_t i = 0; i < want.size(); ++i) {
          CHECK(std::abs(row[layer * want.size() + i] - want[i]) <= bound * (1 + largest[i]));
        }
      }
    }
  }

 private:
  std::map<std::pair<unsigned, std::size_t>, std::vector<float>> seen_;
};

void grow(Model& model, Ledger& ledger, const std::vector<Model::Turn>& turns) {
  std::vector<std::size_t> lengths;
  for (const auto& turn : turns) lengths.push_back(model.pages().length(turn.sequence));
  const auto rows = model.step(turns);
  std::size_t row = 0;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    for (std::size_t t = 0; t < turns[i].count; ++t) {
      ledger.add(turns[i].story, lengths[i] + t, rows[row++]);
    }
  }
}

void a_row_does_not_know_its_company(simd::KvKind kind) {
  Ledger ledger;
  const std::size_t lore = 260, end = 300;
  for (const unsigned threads : {1u, 3u}) {
    // Alone, in pieces of several sizes.
    for (const std::size_t piece : {end, std::size_t{96}, std::size_t{17}}) {
      Model model(kind, threads);
      const auto sequence = model.pages().open();
      const Story story{threads, lore};
      for (std::size_t at = 0; at < end; at += piece) {
        grow(model, ledger, {{sequence, story, std::min(piece, end - at)}});
      }
    }
    // Together, over shared pages, forked within a page, some with pieces and some with words.
    Model model(kind, threads);
    const auto lore_sequence = model.pages().open();
    grow(model, ledger, {{lore_sequence, {0, 0}, lore}});
    std::vector<Model::Turn> turns;
    for (unsigned s = 1; s <= 20; ++s) {
      const std::size_t common = s % 4 == 3 ? 150 : lore;
      turns.push_back({model.pages().fork(lore_sequence, common),
                       {common == lore ? s : s + 100, common},
                       s % 5 == 0   ? 40u
                       : s % 7 == 0 ? 3u
                                    : 1u});
    }
    const auto stranger = model.pages().open();
    turns.push_back({stranger, {50, 0}, 140});
    for (int step = 0; step < 4; ++step) {
      grow(model, ledger, turns);
      std::rotate(turns.begin(), turns.begin() + 3, turns.end());
      turns[5].count = turns[5].count == 1 ? 9 : 1;
    }
    turns.resize(2);
    for (int step = 0; step < 6; ++step) grow(model, ledger, turns);
  }
  const double bound = kind == simd::KvKind::kHalf ? 1e-3 : 2e-2;
  ledger.check_against_exact({1, lore}, bound);
  ledger.check_against_exact({50, 0}, bound);
}

void old_neighbours_leave_no_trace(simd::KvKind kind) {
  Ledger ledger;
  const Story story{3, 0};
  Model fresh(kind, 2), used(kind, 2);
  for (Model* model : {&used, &fresh}) {
    if (model == &used) {
      const auto old = model->pages().open();
      Ledger other;
      grow(*model, other, {{old, {9, 0}, 200}});
      model->pages().release(old);
    }
    const auto sequence = model->pages().open();
    for (int i = 0; i < 30; ++i) grow(*model, ledger, {{sequence, story, 1}});
    model->pages().truncate(sequence, 7);
    for (int i = 0; i < 3; ++i) grow(*model, ledger, {{sequence, story, 5}});
  }
}

void what_does_not_fit_is_refused() {
  KvPages pages({1, 2, 32, simd::KvKind::kHalf}, 1 << 20, 2, 100);
  CHECK_THROWS(Attention(pages, 3, 1, 1), kConfig);
  Attention attention(pages, 4, 1, 1);
  const auto sequence = pages.open();
  pages.append(sequence, 5);
  const std::vector<Attention::Part> short_one{{sequence, 1, 3}}, none{{sequence, 5, 0}},
      closed{{1, 0, 1}};
  CHECK_THROWS((attention.prepare(short_one), 0), kInput);
  CHECK_THROWS((attention.prepare(none), 0), kInput);
  CHECK_THROWS((attention.prepare(closed), 0), kInput);
  attention.prepare({});
  CHECK(attention.items() == 0 && attention.rows() == 0);
}

}  // namespace

void run_attention_tests() {
  for (const simd::KvKind kind : {simd::KvKind::kHalf, simd::KvKind::kByte}) {
    a_row_does_not_know_its_company(kind);
    old_neighbours_leave_no_trace(kind);
  }
  what_does_not_fit_is_refused();
}

}  // namespace astraweave::tests
