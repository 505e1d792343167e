// An approximate vector index: Hierarchical Navigable Small World graphs (Malkov & Yashunin 2016)
// over 8-bit codes, the best of what they find ranked anew by the vectors themselves.
//
// Where few rows can be found (a small index, a narrow scope), their codes are scanned instead,
// which is then both quicker and sure.
//
// Memory for each row, beside its floats: a code of dims() bytes rounded up to 64, 8 * m of links,
// 32 of ids, tags and factors, some 6 in the table of ids. Growing takes new segments and moves
// nothing.
//
// Threads: any number may search, get and save beside one that writes; writers take turns. A writer
// works out what to change while others search, and keeps them out only while it stores that, a
// fraction of a millisecond at most.
// Exceptions: astraweave::Error (kInput, kCapacity, kCorruptData, kFormatVersion, kStorage) and
// std::bad_alloc. A call that throws has changed nothing; but of an insertion that ends for want of
// memory, what was stored before stays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "index/fair_mutex.hpp"
#include "index/flat_index.hpp"
#include "index/hnsw_nodes.hpp"
#include "index/hnsw_walk.hpp"
#include "index/id_table.hpp"
#include "io/mapped_file.hpp"

namespace astraweave::index {

struct HnswOptions {
  std::size_t dims = 0;
  Metric metric = Metric::kCosine;
  Storage storage = Storage::kFloat32;
  std::size_t m = 16;                 // links of a node above the ground layer, where it has 2 m
  std::size_t ef_construction = 200;  // candidates that a new node chooses its links from
  std::size_t ef_search = 64;         // candidates of a search that names no other number
  std::uint64_t seed = 0;             // of the layers that nodes reach
};

class HnswIndex {
 public:
  static constexpr std::size_t kMaxDims = FlatIndex::kMaxDims;
  static constexpr std::size_t kMaxThreads = FlatIndex::kMaxThreads;
  static constexpr std::size_t kMaxM = 64;
  static constexpr std::size_t kMaxEf = 65536;

  // 1 <= dims <= kMaxDims, 4 <= m <= kMaxM, 1 <= ef <= kMaxEf for both.
  explicit HnswIndex(const HnswOptions& options);
  ~HnswIndex();

  const HnswOptions& options() const noexcept { return options_; }
  std::size_t dims() const noexcept { return options_.dims; }
  Metric metric() const noexcept { return options_.metric; }
  Storage storage() const noexcept { return options_.storage; }
  std::size_t size() const;
  bool contains(Id id) const;
  // Of our own memory; pages of a loaded file that were not changed are the system's.
  std::size_t bytes() const;

  // As FlatIndex::insert. The graph hangs on the order of the rows, how calls divide them, and the
  // seed; not on the number of threads (1 to kMaxThreads).
  void insert(std::span<const Id> ids, const float* vectors, std::span<const Tags> tags = {},
              std::size_t threads = 1);
  // The id must be there. Without `tags` it keeps those that it has.
  void update(Id id, const float* vector, std::optional<Tags> tags = std::nullopt);
  void set_tags(Id id, Tags tags);
  // Whether there was one. Its vector is wiped at once; its node leaves the graph, and its slot can
  // be taken anew, in the course of the next changes.
  bool remove(Id id);

  // Copies dims() floats to `out`, as they are kept; false when the id is not there.
  bool get(Id id, float* out) const;
  std::optional<Tags> tags(Id id) const;
  std::vector<Id> ids() const;  // ascending

  // The k nearest that the walk finds (fewer where there are fewer) within the scope. k >= 1;
  // ef 0: the index's own, but at least 2 k. More candidates find more surely and take longer.
  std::vector<Hit> search(const float* query, std::size_t k, const Scope& scope = {},
                          std::size_t ef = 0) const;
  // m queries of dims() floats, on so many threads. Each sees a state of its own.
  Hits search_many(const float* queries, std::size_t m, std::size_t k, const Scope& scope = {},
                   std::size_t ef = 0, std::size_t threads = 1) const;

  // The score of each id, in their order; NaN where it is not there.
  void scores(const float* query, std::span<const Id> ids, float* out) const;

  // See format.md. from_bytes() verifies everything; load() maps the file, checks its header, and
  // leaves the rest to verify(). Until then what is damaged may be found wrongly or not at all, but
  // breaks nothing. Changes after load() stay in memory until save(), which replaces the file in
  // one step; the file must not be changed in place while it is loaded.
  std::string to_bytes() const;
  static std::unique_ptr<HnswIndex> from_bytes(std::string_view bytes);
  void save(const std::filesystem::path& path) const;
  static std::unique_ptr<HnswIndex> load(const std::filesystem::path& path);
  // Throws Error(kCorruptData): the file that was loaded is damaged, or the graph does not hold
  // together. Keeps writers out meanwhile.
  void verify() const;

 private:
  friend class GraphFile;
  struct Planned;
  struct Plan;

  // hnsw_index.cpp
  Id id_of(Slot slot) const noexcept { return slot < nodes_.count() ? nodes_.head(slot).id : 0; }
  Slot find(Id id) const noexcept;
  Slot slot_of(Id id) const;  // throws where it is not there
  std::uint8_t level_of(Id id) const noexcept;
  void check(const float* vector, const char* what) const;
  void check_new(std::span<const Id> ids, const float* vectors) const;
  void prepare(const float* vector, float* out) const noexcept;
  void count_tags(Tags tags, int change) noexcept;

  // hnsw_insert.cpp
  void insert_some(std::span<const Id> ids, const float* vectors, std::span<const Tags> tags,
                   std::size_t threads);
  void put(Plan& plan, std::size_t threads);
  void take_places(Plan& plan);
  void plan_links(Plan& plan, std::size_t index, WalkContext& context) const;
  void plan_back_links(Plan& plan, std::size_t group, WalkContext& context) const;
  void store(Plan& plan) noexcept;

  // hnsw_repair.cpp
  void leave(Slot slot) noexcept;
  void sweep();
  void repair(std::size_t from, std::size_t to);
  bool repair_links(Slot slot, std::size_t level, WalkContext& context,
                    std::vector<Slot>& links) const;
  void free_left(std::size_t most) noexcept;
  void replace_entry() noexcept;
  bool leaves_for_good(Slot slot) const noexcept;

  // hnsw_search.cpp
  std::size_t wanted_rows(const Scope& scope, WalkContext& context) const;
  void scan(const Probe& probe, const Scope& scope, std::size_t limit, WalkContext& context) const;
  void walk_for(const Probe& probe, std::size_t limit, WalkContext& context) const;
  void keep_wanted(const Scope& scope, WalkContext& context) const;
  std::vector<Hit> rank(const float* query, std::size_t k, WalkContext& context) const;
  float exact_score(const float* query, Slot slot, WalkContext& context) const noexcept;

  HnswOptions options_;
  Kernels kernels_;
  std::unique_ptr<io::MappedFile> file_;  // what nodes_ and table_ may point into
  Nodes nodes_;
  IdTable table_;
  std::size_t live_ = 0;
  Slot entry_ = kNoSlot;
  std::uint64_t tag_rows_[64] = {};  // live rows that bear each tag

  // See hnsw_repair.cpp.
  std::vector<Slot> leaving_[2];  // by turn: even, odd
  std::uint32_t turn_ = 0;        // of those who leave now; the others are being swept out
  std::uint64_t swept_ = 0;       // slots that the sweep has behind it

  mutable WalkContexts contexts_;
  mutable FairSharedMutex mutex_;  // readers, and a writer while it stores
  mutable std::mutex writer_;      // held by a writer throughout; only its holder changes anything
};

}  // namespace astraweave::index
