// Readers beside a writer; the thread sanitizer watches, and every reader checks what it sees.
#include <atomic>
#include <thread>
#include <vector>

#include "error.hpp"
#include "index/flat_index.hpp"
#include "tests/check.hpp"

namespace astraweave::tests {
namespace {

using index::FlatIndex;
using index::Id;

constexpr std::size_t kDims = 24;

// Every number of id's vector is the same, so a torn row shows.
std::vector<float> row_of(Id id) { return std::vector<float>(kDims, static_cast<float>(id % 97)); }

void read(const FlatIndex& index, const std::atomic<bool>& stop) {
  std::vector<float> out(kDims);
  for (Id id = 0; !stop.load(); id = (id + 1) % 200) {
    if (index.get(id, out.data())) CHECK(out == row_of(id));
    const auto query = row_of(50);
    const auto hits = index.search(query.data(), 3);
    CHECK(!hits.empty() && hits[0].id == 50 && hits[0].score == 0);
    if (id == 0) {
      CHECK(FlatIndex::from_bytes(index.to_bytes())->contains(50));
      CHECK(index.search_many(query.data(), 1, 3, {}, 2).all[0].id == 50);
      const Id wanted = 50;
      float score = 1;
      index.scores(query.data(), {&wanted, 1}, &score);
      CHECK(score == 0);
    }
  }
}

}  // namespace

void run_index_thread_tests() {
  FlatIndex index(kDims, index::Metric::kL2);
  for (Id id = 0; id < 100; ++id) index.insert({&id, 1}, row_of(id).data());
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back([&] { read(index, stop); });
  for (int turn = 0; turn < 400; ++turn) {
    const Id old_id = 51 + turn % 49, new_id = 150 + turn % 49;
    CHECK(index.remove(old_id));
    index.insert({&new_id, 1}, row_of(new_id).data());
    index.update(new_id, row_of(new_id).data());
    index.set_tags(new_id, 7);
    CHECK(index.remove(new_id));
    index.insert({&old_id, 1}, row_of(old_id).data());
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(index.size() == 100);
}

}  // namespace astraweave::tests
