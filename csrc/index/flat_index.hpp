// An exact vector index: it looks at every row.
//
// Vectors are kept as float32 under 64-bit ids of the caller's. A removed row's slot is taken by
// the last row, so rows lie without gaps. Results are ordered best first, equal scores by lower id,
// and are the same whatever the order of insertion.
//
// Threads: any number may search, get and save beside one that writes; writers take turns.
// Exceptions: astraweave::Error (kInput, kCapacity, kCorruptData, kFormatVersion, kStorage) and
// std::bad_alloc. A call that throws has changed nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "index/fair_mutex.hpp"
#include "index/rows.hpp"

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

class FlatIndex {
 public:
  static constexpr std::size_t kMaxDims = 65536;

  // 1 <= dims <= kMaxDims.
  FlatIndex(std::size_t dims, Metric metric);

  std::size_t dims() const noexcept { return rows_.dims(); }
  Metric metric() const noexcept { return metric_; }
  std::size_t size() const;
  bool contains(Id id) const;

  // `vectors` holds ids.size() * dims() floats. All or none are taken. Refused: an id that is
  // already there or comes twice; NaN, infinity, a vector too long for float32 products; with
  // cosine the zero vector. Cosine keeps the vector scaled to length 1.
  void insert(std::span<const Id> ids, const float* vectors);
  // The id must be there.
  void update(Id id, const float* vector);
  // Whether there was one.
  bool remove(Id id);

  // Copies dims() floats to `out`; false when the id is not there.
  bool get(Id id, float* out) const;
  std::vector<Id> ids() const;  // ascending

  // The k best (fewer where there are fewer), of `allowed` only where it is given; ids in it that
  // are not there are passed over, repeated ones count once. k >= 1.
  std::vector<Hit> search(const float* query, std::size_t k,
                          std::optional<std::span<const Id>> allowed = std::nullopt) const;

  // One format for both; see format.md beside this file. load() may throw kCorruptData or
  // kFormatVersion; save() replaces the file in one step.
  std::string to_bytes() const;
  static std::unique_ptr<FlatIndex> from_bytes(std::string_view bytes);
  void save(const std::filesystem::path& path) const;
  static std::unique_ptr<FlatIndex> load(const std::filesystem::path& path);

 private:
  using Slot = std::uint32_t;

  void check(const float* vector, const char* what) const;
  void store(const float* vector, float* row) const noexcept;
  void push(std::span<const Id> ids);

  Metric metric_;
  Rows rows_;
  std::vector<Id> ids_;  // by slot
  std::unordered_map<Id, Slot> slots_;
  mutable FairSharedMutex mutex_;
};

}  // namespace astraweave::index
