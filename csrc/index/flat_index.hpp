// An exact vector index: what it finds is what a look at every row would find.
//
// Vectors are kept in one of the forms of row_store.hpp under 64-bit ids of the caller's, each with
// 64 bits of tags. A removed row's slot is taken by the last row, so rows lie without gaps. Results
// are ordered best first, equal scores by lower id, and are the same whatever the order of
// insertion. How most rows are passed over unread: exact_search.hpp.
//
// Threads: any number may search, get and save beside one that writes; writers take turns. A batch
// of queries sees one state, and a writer waits for its end.
// Exceptions: astraweave::Error (kInput, kCapacity, kCorruptData, kFormatVersion, kStorage) and
// std::bad_alloc. A call that throws has changed nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "index/fair_mutex.hpp"
#include "index/row_filter.hpp"
#include "index/row_store.hpp"
#include "index/top_k.hpp"

namespace astraweave::index {

enum class Metric : std::uint32_t { kCosine = 0, kDot = 1, kL2 = 2 };

std::string_view metric_name(Metric metric) noexcept;
// Throws Error(kInput) for an unknown name.
Metric parse_metric(std::string_view name);

using Id = std::int64_t;

struct Hit {
  Id id;
  float score;  // cosine or inner product: higher is nearer; L2: the distance, lower is nearer
};

using Tags = std::uint64_t;

// Which rows a search may find.
struct Scope {
  // Only these where it is given; ids that are not there are passed over, repeated ones count once.
  std::optional<std::span<const Id>> ids;
  // Only rows that have one of these tags where it is given.
  std::optional<Tags> any_tags;
};

// The hits of several queries: of each the same number, one query after another.
struct Hits {
  std::size_t per_query = 0;
  std::vector<Hit> all;
};

class FlatIndex {
 public:
  static constexpr std::size_t kMaxDims = 65536;
  static constexpr std::size_t kMaxThreads = 256;

  // 1 <= dims <= kMaxDims.
  FlatIndex(std::size_t dims, Metric metric, Storage storage = Storage::kFloat32);

  std::size_t dims() const noexcept { return rows_.dims(); }
  Metric metric() const noexcept { return metric_; }
  Storage storage() const noexcept { return rows_.storage(); }
  std::size_t size() const;
  bool contains(Id id) const;

  // `vectors` holds ids.size() * dims() floats, `tags` as many as ids, or none (then all are 0).
  // All or none are taken. Refused: an id that is already there or comes twice; NaN, infinity, a
  // vector too long for float32 products, or a number too large for float16 where that is kept;
  // with cosine the zero vector. Cosine keeps the vector scaled to length 1.
  void insert(std::span<const Id> ids, const float* vectors, std::span<const Tags> tags = {});
  // The id must be there. Without `tags` it keeps those that it has.
  void update(Id id, const float* vector, std::optional<Tags> tags = std::nullopt);
  // The id must be there.
  void set_tags(Id id, Tags tags);
  // Whether there was one.
  bool remove(Id id);

  // Copies dims() floats to `out`, as they are kept; false when the id is not there.
  bool get(Id id, float* out) const;
  std::optional<Tags> tags(Id id) const;
  std::vector<Id> ids() const;  // ascending

  // The k best (fewer where there are fewer) within the scope. k >= 1.
  std::vector<Hit> search(const float* query, std::size_t k, const Scope& scope = {}) const;
  // m queries of dims() floats at once, on so many threads (1 to kMaxThreads).
  Hits search_many(const float* queries, std::size_t m, std::size_t k, const Scope& scope = {},
                   std::size_t threads = 1) const;
  // The score of each id, in their order; NaN where it is not there.
  void scores(const float* query, std::span<const Id> ids, float* out) const;

  // One format for both; see format.md beside this file. load() may throw kCorruptData or
  // kFormatVersion; save() replaces the file in one step.
  std::string to_bytes() const;
  // The same into memory of the caller's: `allocate` is called once, with the number of bytes.
  void to_bytes(const std::function<char*(std::size_t)>& allocate) const;
  static std::unique_ptr<FlatIndex> from_bytes(std::string_view bytes);
  void save(const std::filesystem::path& path) const;
  static std::unique_ptr<FlatIndex> load(const std::filesystem::path& path);

 private:
  using Slot = std::uint32_t;

  void check(const float* vector, const char* what) const;
  void check_stored(const float* vector, const char* what) const;
  // What is kept of a vector: itself, or with cosine its direction.
  void prepare(const float* vector, float* out) const noexcept;
  AlignedFloats prepare_queries(const float* queries, std::size_t m) const;
  RowStore prepare_rows(std::span<const Id> ids, const float* vectors) const;
  void push(std::span<const Id> ids);
  Slot slot_of(Id id) const;  // throws where it is not there
  double longest_kept() const noexcept;
  void read_rows(const char* from);
  std::optional<RowFilter> resolve(const Scope& scope) const;
  Hit hit(const Candidate& candidate) const noexcept;

  Metric metric_;
  RowStore rows_;
  std::vector<Id> ids_;     // by slot
  std::vector<Tags> tags_;  // by slot
  std::unordered_map<Id, Slot> slots_;
  mutable FairSharedMutex mutex_;
};

}  // namespace astraweave::index
