#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <vector>

#include "error.hpp"
#include "index/flat_index.hpp"
#include "tests/check.hpp"

namespace astraweave::tests {
namespace {

using index::FlatIndex;
using index::Hit;
using index::Id;
using index::Metric;
using Vector = std::vector<float>;

// Small whole numbers: float32 holds every sum exactly, so the order has to be exact too.
Vector whole_numbers(std::mt19937& engine, std::size_t n) {
  std::uniform_int_distribution<int> digit(-3, 3);
  Vector vector(n);
  for (float& value : vector) value = static_cast<float>(digit(engine));
  return vector;
}

std::vector<Hit> expected(const std::map<Id, Vector>& model, Metric metric, const Vector& query,
                          std::size_t k) {
  std::vector<Hit> hits;
  for (const auto& [id, row] : model) {
    float dot = 0, squared = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      dot += row[i] * query[i];
      squared += (row[i] - query[i]) * (row[i] - query[i]);
    }
    hits.push_back({id, metric == Metric::kDot ? dot : std::sqrt(squared)});
  }
  std::stable_sort(hits.begin(), hits.end(), [&](const Hit& a, const Hit& b) {
    return metric == Metric::kDot ? a.score > b.score : a.score < b.score;
  });
  hits.resize(std::min(k, hits.size()));
  return hits;
}

void a_random_life_matches_a_map(Metric metric) {
  constexpr std::size_t kDims = 19;
  std::mt19937 engine(11);
  FlatIndex index(kDims, metric);
  std::map<Id, Vector> model;
  for (int turn = 0; turn < 1500; ++turn) {
    const Id id = static_cast<Id>(engine() % 300) - 20;
    const Vector vector = whole_numbers(engine, kDims);
    switch (engine() % 4) {
      case 0:
      case 1:
        if (model.count(id) > 0) {
          CHECK_THROWS((index.insert({&id, 1}, vector.data()), 0), kInput);
          index.update(id, vector.data());
        } else {
          CHECK_THROWS((index.update(id, vector.data()), 0), kInput);
          index.insert({&id, 1}, vector.data());
        }
        model[id] = vector;
        break;
      case 2:
        CHECK(index.remove(id) == (model.erase(id) > 0));
        break;
      default: {
        const auto hits = index.search(vector.data(), 7);
        const auto want = expected(model, metric, vector, 7);
        CHECK(hits.size() == want.size());
        for (std::size_t i = 0; i < hits.size(); ++i) {
          CHECK(hits[i].id == want[i].id && hits[i].score == want[i].score);
        }
      }
    }
    CHECK(index.size() == model.size());
    CHECK(index.contains(id) == (model.count(id) > 0));
  }
  const auto copy = FlatIndex::from_bytes(index.to_bytes());
  CHECK(copy->to_bytes() == index.to_bytes());
  CHECK(copy->ids() == index.ids());
  for (const auto& [id, row] : model) {
    Vector out(kDims);
    CHECK(copy->get(id, out.data()) && out == row);
  }
}

void bad_input_changes_nothing() {
  FlatIndex index(3, Metric::kCosine);
  const std::vector<Id> ids{1, 2};
  const Vector good{1, 0, 0, 0, 1, 0};
  index.insert(ids, good.data());
  const std::string before = index.to_bytes();
  const std::vector<Id> twice{5, 5}, known{5, 2}, fresh{5, 6};
  CHECK_THROWS((index.insert(twice, good.data()), 0), kInput);
  CHECK_THROWS((index.insert(known, good.data()), 0), kInput);
  const Vector zero{1, 0, 0, 0, 0, 0};
  CHECK_THROWS((index.insert(fresh, zero.data()), 0), kInput);
  const Vector nan{1, 0, 0, 0, std::nanf(""), 0};
  CHECK_THROWS((index.insert(fresh, nan.data()), 0), kInput);
  CHECK_THROWS(index.search(nan.data() + 3, 1), kInput);
  CHECK_THROWS(index.search(good.data(), 0), kInput);
  CHECK_THROWS(FlatIndex(0, Metric::kDot).size(), kInput);
  CHECK_THROWS(index::parse_metric("euclid"), kInput);
  CHECK(index.to_bytes() == before);
}

void filters_pass_over_what_is_not_there() {
  FlatIndex index(1, Metric::kDot);
  std::vector<Id> ids(700);
  Vector rows(700);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<Id>(i);
    rows[i] = static_cast<float>(i);
  }
  index.insert(ids, rows.data());
  const float one = 1;
  const std::vector<Id> allowed{500, 3, 3, 4, 5, -9, 100000};
  const auto hits = index.search(&one, 3, allowed);
  CHECK(hits.size() == 3 && hits[0].id == 500 && hits[1].id == 5 && hits[2].id == 4);
  CHECK(index.search(&one, 3, std::span<const Id>{}).empty());
  CHECK(index.search(&one, std::numeric_limits<std::size_t>::max()).size() == 700);
}

void damage_is_noticed() {
  FlatIndex index(3, Metric::kL2);
  const std::vector<Id> ids{1, 2};
  const Vector rows{1, 0, 0, 0, 1, 0};
  index.insert(ids, rows.data());
  const std::string good = index.to_bytes();
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_THROWS(FlatIndex::from_bytes({good.data(), size}), kCorruptData);
  }
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string damaged = good;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    CHECK_THROWS(FlatIndex::from_bytes(damaged), kCorruptData);
  }
}

}  // namespace

void run_index_tests() {
  a_random_life_matches_a_map(Metric::kDot);
  a_random_life_matches_a_map(Metric::kL2);
  bad_input_changes_nothing();
  filters_pass_over_what_is_not_there();
  damage_is_noticed();
}

}  // namespace astraweave::tests
