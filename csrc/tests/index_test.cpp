#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <vector>

#include "error.hpp"
#include "index/flat_index.hpp"
#include "io/crc32c.hpp"
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
  const auto hits = index.search(&one, 3, {.ids = allowed, .any_tags = {}});
  CHECK(hits.size() == 3 && hits[0].id == 500 && hits[1].id == 5 && hits[2].id == 4);
  CHECK(index.search(&one, 3, {.ids = std::span<const Id>{}, .any_tags = {}}).empty());
  CHECK(index.search(&one, std::numeric_limits<std::size_t>::max()).size() == 700);
}

Vector rows_of_a_kind(std::mt19937& engine, std::size_t n, std::size_t dims, int kind) {
  std::normal_distribution<float> normal;
  Vector rows(n * dims);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const float noise = normal(engine);
    switch (kind) {
      case 0:  // no two alike
        rows[i] = noise;
        break;
      case 1:  // all alike but for a little
        rows[i] = std::sin(static_cast<float>(i % dims)) + 1e-3f * noise;
        break;
      case 2:  // few different ones
        rows[i] = static_cast<float>((i / dims % 7 + i % dims) % 5) - 2;
        break;
      case 5:  // ever nearer to one direction
        rows[i] = 1 + noise * static_cast<float>(rows.size() - i) / static_cast<float>(rows.size());
        break;
      case 3:  // far from the origin, near each other
        rows[i] = 1000 + noise;
        break;
      default:  // each of another size
        rows[i] = noise * std::ldexp(1.0f, static_cast<int>(i / dims % 60) - 30);
    }
  }
  return rows;
}

// The order in which scores() puts all ids is the one that search() has to find.
void check_against_all_scores(const FlatIndex& index, const Vector& queries, std::size_t m,
                              std::size_t k, const index::Scope& scope, std::vector<Id> ids) {
  const index::Hits many = index.search_many(queries.data(), m, k, scope, 2);
  Vector scores(ids.size());
  for (std::size_t q = 0; q < m; ++q) {
    const float* query = queries.data() + q * index.dims();
    index.scores(query, ids, scores.data());
    std::vector<Hit> all;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const bool allowed = !scope.any_tags || (*index.tags(ids[i]) & *scope.any_tags) != 0;
      if (allowed) all.push_back({ids[i], scores[i]});
    }
    std::sort(all.begin(), all.end(), [&](const Hit& a, const Hit& b) {
      if (a.score != b.score) {
        return index.metric() == Metric::kL2 ? a.score < b.score : a.score > b.score;
      }
      return a.id < b.id;
    });
    all.resize(std::min(k, all.size()));
    CHECK(many.per_query == all.size());
    const auto hits = index.search(query, k, scope);
    CHECK(hits.size() == all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Hit& other = many.all[q * many.per_query + i];
      CHECK(other.id == hits[i].id && other.score == hits[i].score);
      CHECK(hits[i].score == all[i].score);
      // Squared distances that differ may have one square root; the nearer still goes first.
      if (index.metric() != Metric::kL2) CHECK(hits[i].id == all[i].id);
    }
  }
}

void nothing_is_passed_over_that_counts(Metric metric, index::Storage storage, int kind) {
  constexpr std::size_t kRows = 1500, kQueries = 5;
  std::mt19937 engine(static_cast<unsigned>(17 + kind));
  for (const std::size_t dims : {3u, 40u, 130u}) {
    if (storage == index::Storage::kFloat16 && kind == 4 && metric != Metric::kCosine) continue;
    FlatIndex index(dims, metric, storage);
    std::vector<Id> ids(kRows);
    std::vector<index::Tags> tags(kRows);
    for (std::size_t i = 0; i < kRows; ++i) {
      ids[i] = static_cast<Id>(i * 7919 % kRows);
      tags[i] = std::uint64_t{1} << (i % 3);
    }
    const Vector rows = rows_of_a_kind(engine, kRows, dims, kind);
    index.insert(ids, rows.data(), tags);
    for (Id id = 0; id < 40; ++id) {
      CHECK(index.remove(id * 3));
      ids.erase(std::find(ids.begin(), ids.end(), id * 3));
    }
    Vector queries = rows_of_a_kind(engine, kQueries, dims, kind);
    std::copy_n(rows.begin(), dims, queries.begin());
    for (const std::size_t k : {1u, 10u, 100u, 700u}) {
      check_against_all_scores(index, queries, kQueries, k, {}, ids);
    }
    check_against_all_scores(index, queries, kQueries, 5, {.ids = {}, .any_tags = 5}, ids);
    check_against_all_scores(index, queries, kQueries, 5, {.ids = {}, .any_tags = 8}, ids);
    const std::vector<Id> some(ids.begin(), ids.begin() + 900), few(ids.begin(), ids.begin() + 90);
    check_against_all_scores(index, queries, 2, 5, {.ids = some, .any_tags = {}}, some);
    check_against_all_scores(index, queries, 2, 5, {.ids = few, .any_tags = {}}, few);
    const auto copy = FlatIndex::from_bytes(index.to_bytes());
    CHECK(copy->to_bytes() == index.to_bytes());
    check_against_all_scores(*copy, queries, 2, 10, {}, ids);
  }
}

void tags_stay_with_their_rows() {
  FlatIndex index(1, Metric::kDot);
  const std::vector<Id> ids{1, 2, 3};
  const Vector rows{1, 2, 3};
  const std::vector<index::Tags> tags{1, 2, ~std::uint64_t{0}};
  CHECK_THROWS((index.insert(ids, rows.data(), std::span(tags).first(2)), 0), kInput);
  index.insert(ids, rows.data(), tags);
  const float one = 1;
  CHECK(index.search(&one, 9, {.ids = {}, .any_tags = 1}).size() == 2);
  CHECK(index.search(&one, 9, {.ids = {}, .any_tags = 0}).empty());
  CHECK(index.remove(1));
  CHECK(index.tags(3) == ~std::uint64_t{0} && index.tags(2) == 2u && !index.tags(1));
  index.update(2, &one);
  CHECK(index.tags(2) == 2u);
  index.update(2, &one, 8);
  index.set_tags(3, 4);
  CHECK(FlatIndex::from_bytes(index.to_bytes())->tags(2) == 8u);
  CHECK(index.search(&one, 9, {.ids = {}, .any_tags = 4})[0].id == 3);
  CHECK_THROWS((index.set_tags(9, 1), 0), kInput);
}

void a_file_of_the_first_version_is_read() {
  FlatIndex index(2, Metric::kDot);
  const std::vector<Id> ids{4, 9};
  const Vector rows{1, 2, 3, 4};
  index.insert(ids, rows.data());
  const std::string now = index.to_bytes();
  std::string old = now.substr(0, 32) + now.substr(40, 16) + now.substr(40 + 32, 16) + "----";
  const auto put = [&](std::size_t at, std::uint32_t value) {
    std::memcpy(old.data() + at, &value, sizeof value);
  };
  put(8, 1);
  put(12, io::crc32c(old.data(), 12));
  put(old.size() - 4, io::crc32c(old.data(), old.size() - 4));
  const auto read = FlatIndex::from_bytes(old);
  CHECK(read->to_bytes() == now);
}

void damage_is_noticed(index::Storage storage) {
  FlatIndex index(3, Metric::kL2, storage);
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
  for (const auto storage :
       {index::Storage::kFloat32, index::Storage::kFloat16, index::Storage::kInt8}) {
    damage_is_noticed(storage);
    for (int kind = 0; kind < 6; ++kind) {
      for (const Metric metric : {Metric::kCosine, Metric::kDot, Metric::kL2}) {
        nothing_is_passed_over_that_counts(metric, storage, kind);
      }
    }
  }
  tags_stay_with_their_rows();
  a_file_of_the_first_version_is_read();
}

}  // namespace astraweave::tests
