// Vectors in one of three forms, and their exact scores.
//
//   kFloat32   8-bit codes and float32 rows        5 bytes a number
//   kFloat16   8-bit codes and float16 rows        3 bytes a number
//   kInt8      8-bit codes alone                   1 byte a number
//
// What a form keeps is what the row is from then on: read() gives the vector as it was rounded, and
// scores are those of that vector. The codes serve to pass over rows without reading them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "index/code_rows.hpp"
#include "index/rows.hpp"
#include "simd/tier.hpp"

namespace astraweave::index {

enum class Storage : std::uint32_t { kFloat32 = 0, kFloat16 = 1, kInt8 = 2 };

std::string_view storage_name(Storage storage) noexcept;
// Throws Error(kInput) for an unknown name.
Storage parse_storage(std::string_view name);

class RowStore {
 public:
  RowStore(std::size_t dims, Storage storage)
      : storage_(storage), codes_(dims), floats_(dims), halves_(dims) {}

  Storage storage() const noexcept { return storage_; }
  std::size_t size() const noexcept { return codes_.size(); }
  std::size_t dims() const noexcept { return codes_.dims(); }
  // Floats of a query that the scores below want, zeros behind dims().
  std::size_t stride() const noexcept { return floats_.stride(); }
  const CodeRows& codes() const noexcept { return codes_; }
  // Bytes of one row in a file, and the row as those bytes.
  std::size_t row_bytes() const noexcept;
  void write_bytes(std::size_t slot, char* out) const noexcept;
  // Takes such bytes; false where they are no row.
  bool read_bytes(std::size_t slot, const char* bytes);

  // Makes room for n more; push_zero() and append() cannot fail for as many.
  void reserve_more(std::size_t n);
  void push_zero();
  void append(const RowStore& more);
  // `vector` has dims() finite floats, of a size that float16 has where that is kept.
  void write(std::size_t slot, const float* vector) noexcept;
  void read(std::size_t slot, float* out) const noexcept;  // dims() floats
  void pop() noexcept;
  void copy_over(std::size_t from, std::size_t to) noexcept;
  void copy_from(const RowStore& other, std::size_t from, std::size_t to) noexcept;

 private:
  friend class RowScorer;

  Storage storage_;
  CodeRows codes_;
  Rows floats_;      // kFloat32
  HalfRows halves_;  // kFloat16
};

// The scores of one query against rows: inner products, or squared distances with their sign
// turned, so that higher is always nearer. Equal rows get equal bits. One thread at a time.
class RowScorer {
 public:
  // `query` has stride() floats and outlives this.
  RowScorer(const RowStore& rows, const float* query, bool l2);

  // Rows first .. first + n - 1 to n scores.
  void score(std::size_t first, std::size_t n, float* scores) noexcept;
  void prefetch(std::size_t slot) const noexcept;

 private:
  const RowStore& rows_;
  const float* query_;
  bool l2_;
  simd::Tier tier_;
  AlignedFloats decoded_;  // kInt8: one row
};

}  // namespace astraweave::index
