// The graph index: what it finds beside a look at every row, and that it holds together.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <random>

#include "error.hpp"
#include "index/hnsw_index.hpp"
#include "index/id_table.hpp"
#include "index/segments.hpp"
#include "io/file.hpp"
#include "simd/walk/walk.hpp"
#include "tests/check.hpp"

namespace astraweave::tests {
namespace {

using namespace index;

constexpr std::size_t kDims = 24;
using Vector = std::vector<float>;

// Points around a few hundred centres, as real data has them.
Vector vector_of(Id id) {
  std::mt19937_64 centre(static_cast<std::uint64_t>(id % 300));
  std::mt19937_64 own(static_cast<std::uint64_t>(id) + 1000);
  std::normal_distribution<float> normal;
  Vector vector(kDims);
  for (float& x : vector) x = normal(centre);
  for (float& x : vector) x += 0.7F * normal(own);
  return vector;
}

void insert(HnswIndex& index, Id first, Id end, std::size_t threads = 1) {
  std::vector<Id> ids;
  std::vector<Tags> tags;
  Vector vectors;
  for (Id id = first; id < end; ++id) {
    ids.push_back(id);
    tags.push_back(id % 2 == 0 ? 1 : 2);
    const Vector vector = vector_of(id);
    vectors.insert(vectors.end(), vector.begin(), vector.end());
  }
  index.insert(ids, vectors.data(), tags, threads);
}

double recall(const HnswIndex& index, const Scope& scope = {}, std::size_t ef = 40) {
  const std::vector<Id> ids = index.ids();
  std::size_t found = 0, wanted = 0;
  for (Id q = 100000; q < 100050; ++q) {
    const Vector query = vector_of(q);
    std::vector<std::pair<float, Id>> all;
    for (const Id id : ids) {
      if (scope.any_tags && (*index.tags(id) & *scope.any_tags) == 0) continue;
      if (scope.ids && std::find(scope.ids->begin(), scope.ids->end(), id) == scope.ids->end()) {
        continue;
      }
      const Vector row = vector_of(id % 100000);
      float sum = 0;
      for (std::size_t d = 0; d < kDims; ++d) sum += (row[d] - query[d]) * (row[d] - query[d]);
      all.emplace_back(sum, id);
    }
    std::sort(all.begin(), all.end());
    all.resize(std::min<std::size_t>(all.size(), 10));
    const auto hits = index.search(query.data(), 10, scope, ef);
    CHECK(hits.size() == all.size());
    for (const auto& [distance, id] : all) {
      found += static_cast<std::size_t>(std::any_of(
          hits.begin(), hits.end(), [id = id](const Hit& hit) { return hit.id == id; }));
    }
    wanted += all.size();
  }
  return static_cast<double>(found) / static_cast<double>(wanted);
}

HnswOptions options(Storage storage = Storage::kFloat32) {
  HnswOptions options;
  options.dims = kDims;
  options.metric = Metric::kL2;
  options.storage = storage;
  options.ef_construction = 80;
  options.ef_search = 40;
  return options;
}

void test_kernels() {
  std::mt19937_64 random(1);
  const auto tier = simd::active_tier();
  for (const std::size_t dims : {64UL, 128UL, 384UL, 4096UL}) {
    std::vector<std::int8_t> query(dims), out(dims), expected(dims);
    std::int32_t sum = 0;
    for (auto& x : query)
      sum += x = static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
    std::vector<std::vector<std::uint8_t>> rows(9, std::vector<std::uint8_t>(dims));
    for (auto& row : rows) {
      for (auto& code : row) code = static_cast<std::uint8_t>(1 + random() % 255);
    }
    rows[0].assign(dims, 255);
    rows[1].assign(dims, 1);
    for (std::size_t n = 0; n <= rows.size(); ++n) {
      std::vector<const std::uint8_t*> at;
      for (std::size_t i = 0; i < n; ++i) at.push_back(rows[i].data());
      std::vector<std::int32_t> got(n), want(n);
      simd::walk_codes_kernel(tier)(query.data(), sum, at.data(), n, dims, got.data());
      simd::walk_codes_scalar(query.data(), sum, at.data(), n, dims, want.data());
      CHECK(got == want);
    }
    for (const auto& row : rows) {
      CHECK(simd::centre_codes_kernel(tier)(row.data(), dims, out.data()) ==
            simd::centre_codes_scalar(row.data(), dims, expected.data()));
      CHECK(out == expected);
    }
  }
}

void test_id_table() {
  std::mt19937_64 random(3);
  std::vector<Id> id_at(5000);
  std::map<Id, Slot> model;
  IdTable table;
  const auto id_of = [&](Slot slot) { return id_at[slot]; };
  for (int step = 0; step < 40000; ++step) {
    const Id id = static_cast<Id>(random() % 5000) * (random() % 2 == 0 ? 1 : 1LL << 40);
    const Slot slot = table.find(id, id_of);
    const auto known = model.find(id);
    CHECK((slot == kNoSlot) == (known == model.end()));
    if (slot != kNoSlot) {
      CHECK(slot == known->second);
      if (random() % 2 == 0) {
        table.erase(id, slot, id_of);
        model.erase(known);
      }
    } else if (model.size() < 2500) {
      Slot free = static_cast<Slot>(random() % id_at.size());
      while (std::any_of(model.begin(), model.end(),
                         [&](const auto& one) { return one.second == free; })) {
        free = (free + 1) % id_at.size();
      }
      id_at[free] = id;
      table.reserve(id, id_of);
      table.insert(id, free);
      model[id] = free;
    }
    if (step % 1000 == 0) {
      for (const auto& [one, at] : model) CHECK(table.find(one, id_of) == at);
    }
  }
}

// No insertion may wait for something that grows with the index: records never move, and of the
// table of ids one part in 256 is rebuilt at a time.
void test_growth() {
  Segments segments(64);
  segments.reserve(1);
  const std::byte* first = segments.at(0);
  for (std::size_t n = 1; n <= 100000; n += 999) {
    const std::size_t before = segments.bytes();
    segments.reserve(n);
    CHECK(segments.bytes() - before <= 64 * Segments::kPerSegment);
    CHECK(segments.at(0) == first);
  }
  std::vector<Id> id_at;
  IdTable table;
  const auto id_of = [&](Slot slot) { return id_at[slot]; };
  for (Slot slot = 0; slot < 200000; ++slot) {
    id_at.push_back(slot);
    table.reserve(slot, id_of);
    table.insert(slot, slot);
  }
  for (std::size_t i = 0; i < IdTable::kShards; ++i) CHECK(table.shard(i).capacity <= 4096);
}

void test_recall(Storage storage, double least) {
  HnswIndex index(options(storage));
  insert(index, 0, 4000);
  index.verify();
  CHECK(index.size() == 4000);
  CHECK(recall(index) >= least);
  CHECK(recall(index, {.any_tags = 1}) >= least);
  std::vector<Id> some;
  for (Id id = 0; id < 4000; id += 1000) some.push_back(id);
  CHECK(recall(index, {.ids = some}) >= (storage == Storage::kInt8 ? least : 1));
  CHECK(index.search(vector_of(1).data(), 3, {.any_tags = 4}).empty());
  Vector out(kDims);
  CHECK(index.get(17, out.data()));
  const Vector row = vector_of(17);
  for (std::size_t d = 0; d < kDims; ++d) CHECK(std::fabs(out[d] - row[d]) < 0.05F);
  CHECK(!index.get(4000, out.data()));
  const std::vector<Id> asked{17, 4000};
  float scores[2];
  index.scores(out.data(), asked, scores);
  CHECK(scores[0] < 1e-3F && std::isnan(scores[1]));
}

void test_same_for_all_threads() {
  HnswIndex one(options()), three(options());
  insert(one, 0, 700, 1);
  insert(three, 0, 700, 3);
  CHECK(one.to_bytes() == three.to_bytes());
}

void test_errors() {
  HnswIndex index(options());
  insert(index, 0, 10);
  const Vector vector = vector_of(3);
  const Id there = 3, new_id = 30;
  const std::vector<Id> twice{31, 31};
  Vector two(2 * kDims, 1.0F);
  Vector bad = vector;
  bad[5] = std::nanf("");
  CHECK_THROWS(index.insert({&there, 1}, vector.data()), kInput);
  CHECK_THROWS(index.insert(twice, two.data()), kInput);
  CHECK_THROWS(index.insert({&new_id, 1}, bad.data()), kInput);
  CHECK_THROWS(index.insert({&new_id, 1}, vector.data(), {}, 0), kInput);
  CHECK_THROWS(index.update(30, vector.data()), kInput);
  CHECK_THROWS(index.set_tags(30, 1), kInput);
  CHECK_THROWS(index.search(vector.data(), 0), kInput);
  CHECK(!index.remove(30));
  HnswOptions wrong = options();
  wrong.m = 1;
  CHECK_THROWS(HnswIndex{wrong}, kInput);
  wrong = options();
  wrong.dims = 0;
  CHECK_THROWS(HnswIndex{wrong}, kInput);
  index.verify();
  CHECK(index.size() == 10);
}

// All rows replaced five times over, some by update; then all but a few removed; then all.
void test_churn() {
  HnswIndex index(options());
  insert(index, 0, 3000);
  const double before = recall(index);
  for (Id round = 0; round < 5; ++round) {
    for (Id id = 0; id < 3000; ++id) {
      const Id old_id = id + 100000 * round, new_id = old_id + 100000;
      if (id % 3 == 0) index.update(old_id, vector_of(id).data());
      CHECK(index.remove(old_id));
      index.insert({&new_id, 1}, vector_of(id).data());
    }
    index.verify();
  }
  CHECK(index.size() == 3000);
  CHECK(recall(index) >= before - 0.005);
  // Slots were taken anew.
  CHECK(index.bytes() < 6000 * 600);
  const Id base = 500000;
  for (Id id = 20; id < 3000; ++id) CHECK(index.remove(base + id));
  index.verify();
  CHECK(recall(index) == 1);
  for (Id id = 0; id < 20; ++id) CHECK(index.remove(base + id));
  CHECK(index.size() == 0 && index.search(vector_of(1).data(), 5).empty());
  index.verify();
  insert(index, 0, 2500);
  CHECK(recall(index) >= 0.98);
  index.update(0, vector_of(0).data());
  HnswIndex small(options());
  insert(small, 0, 1);
  small.update(0, vector_of(5).data());
  insert(small, 1, 3);
  CHECK(small.search(vector_of(5).data(), 1)[0].id == 0);
  small.verify();
}

void test_file() {
  HnswIndex index(options());
  insert(index, 0, 2500);
  for (Id id = 0; id < 300; ++id) index.remove(id);
  const std::string bytes = index.to_bytes();
  CHECK(HnswIndex::from_bytes(bytes)->to_bytes() == bytes);
  const auto path = std::filesystem::temp_directory_path() / "astraweave-graph-test.awg";
  index.save(path);
  const auto loaded = HnswIndex::load(path);
  loaded->verify();
  CHECK(loaded->to_bytes() == bytes && loaded->bytes() < index.bytes());
  CHECK(recall(*loaded) == recall(index));
  // Changes stay in memory until they are saved, and are the same as those of the first one.
  for (HnswIndex* each : {loaded.get(), &index}) {
    for (Id id = 300; id < 900; ++id) CHECK(each->remove(id));
    insert(*each, 3000, 3500);
    each->verify();
  }
  CHECK(loaded->to_bytes() == index.to_bytes());
  CHECK(io::read_file(path) == bytes);
  loaded->save(path);
  CHECK(HnswIndex::load(path)->to_bytes() == index.to_bytes());
  std::filesystem::remove(path);

  HnswIndex empty(options());
  CHECK(HnswIndex::from_bytes(empty.to_bytes())->size() == 0);
  for (const std::size_t length : {0UL, 10UL, 15UL, 16UL, 4095UL, 4096UL, bytes.size() - 1}) {
    CHECK_THROWS(HnswIndex::from_bytes(bytes.substr(0, length)), kCorruptData);
  }
  std::mt19937_64 random(5);
  for (int i = 0; i < 200; ++i) {
    std::string damaged = bytes;
    damaged[random() % (i % 2 == 0 ? 4096 : bytes.size())] ^= static_cast<char>(1 << random() % 8);
    try {  // only the fill between sections is not looked at
      CHECK(HnswIndex::from_bytes(damaged)->to_bytes() == bytes);
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::kCorruptData || error.code() == ErrorCode::kFormatVersion);
    }
  }
}

// A loaded file of which everything but the header is noise: wrong answers, no crash.
void test_noise() {
  HnswIndex index(options());
  insert(index, 0, 2000);
  const std::string bytes = index.to_bytes();
  const auto path = std::filesystem::temp_directory_path() / "astraweave-noise-test.awg";
  std::mt19937_64 random(7);
  for (int round = 0; round < 12; ++round) {
    std::string noise = bytes;
    for (std::size_t i = 4096; i < noise.size(); ++i) {
      if (random() % (round < 6 ? 1 : 50) == 0) noise[i] = static_cast<char>(random());
    }
    io::replace_file(path, noise);
    const auto loaded = HnswIndex::load(path);
    CHECK_THROWS(loaded->verify(), kCorruptData);
    for (Id id = 0; id < 60; ++id) {
      const Vector vector = vector_of(id);
      (void)loaded->search(vector.data(), 10, {}, id % 2 == 0 ? 1 : 20);
      (void)loaded->search(vector.data(), 10, {.any_tags = 3});
      Vector out(kDims);
      (void)loaded->get(id, out.data());
      (void)loaded->remove(id);
      const Id new_id = 10000 + id;
      try {
        loaded->insert({&new_id, 1}, vector.data());
        loaded->update(new_id, vector.data());
        loaded->set_tags(new_id, 5);
      } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kInput || error.code() == ErrorCode::kCapacity);
      }
    }
    (void)loaded->ids();
    (void)loaded->to_bytes();
  }
  std::filesystem::remove(path);
}

}  // namespace

void run_hnsw_tests() {
  test_kernels();
  test_id_table();
  test_growth();
  test_recall(Storage::kFloat32, 0.98);
  test_recall(Storage::kFloat16, 0.98);
  test_recall(Storage::kInt8, 0.9);
  test_same_for_all_threads();
  test_errors();
  test_churn();
  test_file();
  test_noise();
}

}  // namespace astraweave::tests
