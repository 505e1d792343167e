// What a graph index keeps for each vector, by slot: an 8-bit code for the walk, the links of the
// ground layer, an id with its tags, links of higher layers for the few that reach them, and the
// vector itself for the final ranking.
//
// A row x is kept as whole numbers c - 128 times a scale, the largest |x[d]| being 127. score() is
// q.x, for L2 less half of both squared lengths: -d^2/2, so that higher is nearer for every metric.
//
// Links may come from a damaged file: a link to a slot that is not there is no link.
//
// Threads: reading beside reading; every change alone, but for write_vector() to a slot that no
// link and no id leads to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "index/flat_index.hpp"
#include "index/segments.hpp"
#include "simd/walk/walk.hpp"

namespace astraweave::index {

enum class State : std::uint8_t {
  kFree = 0,
  kLive = 1,
  kLeavingEven = 2,  // removed, still walked through; see hnsw_repair.cpp
  kLeavingOdd = 3,
};

struct Head {
  Id id;
  Slot upper;  // first of `level` records of links; of a free slot, the next free one
  std::uint8_t level;
  State state;
  std::uint16_t unused;
};

struct Factors {
  float scale;
  float bias;  // 0, for L2 minus half of the squared length
};

// A query, or a row that plays one.
struct Probe {
  const std::int8_t* numbers;
  std::int32_t sum;
  Factors factors;
};

struct Kernels {
  simd::Tier tier;
  simd::WalkCodes walk;
  simd::CentreCodes centre;
  Kernels();  // of the active tier
};

class Nodes {
 public:
  static constexpr std::uint8_t kMaxLevel = 12;
  static constexpr std::size_t kMaxSlots = std::size_t{1} << 31;

  Nodes(std::size_t dims, Metric metric, Storage storage, std::size_t m);

  std::size_t dims() const noexcept { return dims_; }
  std::size_t stride() const noexcept { return codes_.record(); }
  Metric metric() const noexcept { return metric_; }
  Storage storage() const noexcept { return storage_; }
  std::size_t m() const noexcept { return m_; }
  std::size_t max_links(std::size_t level) const noexcept { return level == 0 ? 2 * m_ : m_; }
  // Slots that were ever in use.
  std::size_t count() const noexcept { return count_; }

  Head& head(Slot slot) noexcept { return *reinterpret_cast<Head*>(heads_.at(slot)); }
  const Head& head(Slot slot) const noexcept {
    return *reinterpret_cast<const Head*>(heads_.at(slot));
  }
  bool live(Slot slot) const noexcept { return head(slot).state == State::kLive; }
  // 0 where there is no live row.
  std::uint64_t tags(Slot slot) const noexcept {
    return *reinterpret_cast<const std::uint64_t*>(tags_.at(slot));
  }
  void set_tags(Slot slot, std::uint64_t tags) noexcept {
    *reinterpret_cast<std::uint64_t*>(tags_.at(slot)) = tags;
  }
  const std::uint8_t* codes(Slot slot) const noexcept {
    return reinterpret_cast<const std::uint8_t*>(codes_.at(slot));
  }
  const Factors& factors(Slot slot) const noexcept {
    return *reinterpret_cast<const Factors*>(factors_.at(slot));
  }
  // dims() floats or float16s; not for 8-bit codes alone.
  const std::byte* row(Slot slot) const noexcept {
    return storage_ == Storage::kInt8 ? nullptr : rows_.at(slot);
  }
  std::size_t row_bytes() const noexcept { return rows_.record(); }

  // Ends at the first that is not below count(), or after max_links(level). Empty where the node
  // does not reach the layer.
  std::span<const Slot> links(Slot slot, std::size_t level) const noexcept {
    const Slot* from = nullptr;
    if (level == 0) {
      from = reinterpret_cast<const Slot*>(links_.at(slot));
    } else {
      const Head& node = head(slot);
      const std::size_t at = std::size_t{node.upper} + level - 1;
      if (level > node.level || at >= upper_count_) return {};
      from = reinterpret_cast<const Slot*>(upper_.at(static_cast<Slot>(at)));
    }
    return {from, max_links(level)};
  }
  void set_links(Slot slot, std::size_t level, std::span<const Slot> links) noexcept;
  const std::byte* links_address(Slot slot) const noexcept { return links_.at(slot); }

  // A slot and, for level > 0, its records of links. They are the caller's until he gives them an
  // id with put_head(), or back.
  struct Place {
    Slot slot;
    Slot upper;
    std::uint8_t level;
  };
  Place take(std::uint8_t level);
  void put_head(const Place& place, Id id, std::uint64_t tags) noexcept;
  void give_back(const Place& place) noexcept;

  // For cosine a vector of length 1.
  void write_vector(Slot slot, const float* vector) noexcept;
  // Overwrites the floats.
  void wipe(Slot slot) noexcept;
  void read_vector(Slot slot, float* out) const noexcept;

  // Whole numbers and factors of a vector; stride() numbers.
  Factors encode(const float* vector, std::int8_t* numbers) const noexcept;
  // A vector or the row of a slot as a query; `numbers` has stride() places.
  Probe probe(const float* vector, std::int8_t* numbers) const noexcept;
  Probe probe(Slot slot, std::int8_t* numbers, const Kernels& kernels) const noexcept;

  // Of our own memory; what is mapped from a file is not counted.
  std::size_t bytes() const noexcept;

 private:
  friend class GraphFile;

  std::size_t dims_;
  Metric metric_;
  Storage storage_;
  std::size_t m_;
  std::size_t count_ = 0;
  std::size_t upper_count_ = 0;
  Slot free_ = kNoSlot;
  Slot free_upper_[kMaxLevel + 1];  // by level
  Segments codes_;
  Segments factors_;
  Segments links_;
  Segments heads_;
  Segments tags_;
  Segments upper_;
  Segments rows_;
};

// Never NaN, as a damaged file's factors could make it.
inline float score(const Probe& probe, std::int32_t sum, Factors row) noexcept {
  const float result =
      static_cast<float>(sum) * (probe.factors.scale * row.scale) + probe.factors.bias + row.bias;
  return result == result ? result : -std::numeric_limits<float>::infinity();
}

}  // namespace astraweave::index
