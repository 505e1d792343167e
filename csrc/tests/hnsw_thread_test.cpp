// Readers of a graph index beside a writer; the thread sanitizer watches, and every reader checks
// what it sees.
#include <atomic>
#include <cmath>
#include <thread>
#include <vector>

#include "error.hpp"
#include "index/hnsw_index.hpp"
#include "tests/check.hpp"

namespace astraweave::tests {
namespace {

using index::HnswIndex;
using index::Id;

constexpr std::size_t kDims = 24;
constexpr Id kStay = 400;  // rows that nobody touches

// Every id has its own direction, so a torn row shows.
std::vector<float> row_of(Id id) {
  std::vector<float> row(kDims, 1.0F);
  for (std::size_t d = 0; d < kDims; ++d) {
    row[d] += std::sin(static_cast<float>(id % 1000) * static_cast<float>(d + 1));
  }
  return row;
}

void read(const HnswIndex& index, const std::atomic<bool>& stop) {
  std::vector<float> out(kDims);
  for (Id id = 0; !stop.load(); id = (id + 1) % 2000) {
    if (index.get(id, out.data())) CHECK(out == row_of(id));
    const auto query = row_of(id % kStay);
    const std::size_t ef = id % 2 == 0 ? 8 : 64;  // walks and scans
    const auto hits = index.search(query.data(), 3, {}, ef);
    CHECK(hits.size() == 3 && (ef == 8 || hits[0].score == 0));  // a walk may miss
    const std::vector<Id> only{id % kStay, id};
    CHECK(index.search(query.data(), 1, {.ids = only})[0].score == 0);
    for (const auto& hit : index.search(query.data(), 5, {.any_tags = 2}, ef)) {
      CHECK(hit.id >= kStay);
    }
  }
}

}  // namespace

void run_hnsw_thread_tests() {
  index::HnswOptions options;
  options.dims = kDims;
  options.metric = index::Metric::kL2;
  options.ef_construction = 40;
  HnswIndex index(options);
  std::vector<Id> ids;
  std::vector<float> vectors;
  for (Id id = 0; id < 900; ++id) {
    ids.push_back(id);
    const auto row = row_of(id);
    vectors.insert(vectors.end(), row.begin(), row.end());
  }
  std::vector<index::Tags> tags(900, 1);
  for (std::size_t i = kStay; i < tags.size(); ++i) tags[i] = 2;
  index.insert(ids, vectors.data(), tags, 2);
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back([&] { read(index, stop); });
  for (int turn = 0; turn < 1500; ++turn) {
    const Id old_id = kStay + turn % 500, new_id = 1000 + turn % 500;
    const index::Tags tag = 2;
    CHECK(index.remove(old_id));
    index.insert({&new_id, 1}, row_of(new_id).data(), {&tag, 1});
    index.update(new_id, row_of(new_id).data());
    CHECK(index.remove(new_id));
    index.insert({&old_id, 1}, row_of(old_id).data(), {&tag, 1}, 2);
    if (turn % 500 == 0) CHECK(HnswIndex::from_bytes(index.to_bytes())->size() == 900);
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(index.size() == 900);
  index.verify();
}

}  // namespace astraweave::tests
