// The memory of keys and values: pages of 16 tokens that sequences share by reference.
//
// A page holds its tokens for all layers and KV heads. A sequence is a list of pages and a length;
// a fork refers to the same pages, the last and partly filled one too, and whoever appends to a
// page that others hold gets a copy of it first. So a fork costs a list of numbers, and at most one
// page is copied, once.
//
// The memory is one mapping of the whole budget; the system backs what has been touched. A page
// that comes free is the next to be taken, lowest number first, so a memory that was large once
// does not stay spread out. Sixteen pages are a slab, and within it those of one head of one layer
// lie side by side: attention reads a sequence that was written in one go in stretches of 64 KB
// (halves, heads of 64), and what is backed ends with the slab that was touched last. So huge pages
// can back it without taking the whole budget: sixteen sequences of 300 tokens touch 27,000 blocks
// of 4 KB a step, more than any processor keeps the addresses of.
//
// Contract:
// - One thread at a time, except: between two changes any number of threads may read and write
//   through block(), each slot written by one.
// - Numbers of sequences are reused, the lowest free one first.
// - What throws has changed nothing. kInput: no such sequence, or lengths that do not fit together;
//   kCapacity: no room (pages, sequences, or the context's end).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <span>
#include <vector>

#include "simd/attend/attend.hpp"

namespace astraweave::decoder {

struct KvShape {
  std::size_t layers;
  std::size_t kv_heads;
  std::size_t head_size;  // a multiple of 16, 16 to 256
  simd::KvKind kind;
};

struct KvReport {
  std::size_t capacity_tokens;  // shared ones counted once, here and below
  std::size_t used_tokens;      // whole pages
  std::size_t capacity_bytes;
  std::size_t used_bytes;
  std::size_t sequences;
};

// Memory that costs nothing until it is touched; zeros then.
class LazyMemory {
 public:
  explicit LazyMemory(std::size_t bytes);  // throws kCapacity
  ~LazyMemory();
  LazyMemory(const LazyMemory&) = delete;
  LazyMemory& operator=(const LazyMemory&) = delete;

  std::byte* data() const noexcept { return data_; }

 private:
  std::byte* data_;
  void* mapping_;  // what data_ lies in
  std::size_t bytes_;
};

class KvPages {
 public:
  using Sequence = std::int32_t;
  using Page = std::uint32_t;
  static constexpr std::size_t kPageTokens = simd::kPageTokens;
  struct Growth {
    Sequence sequence;
    std::size_t count;
  };

  // As many pages as fit into budget_bytes, and no more than max_sequences of context_tokens need.
  // kConfig: a shape that there is none of, or a budget below one page.
  KvPages(const KvShape& shape, std::size_t budget_bytes, std::size_t max_sequences,
          std::size_t context_tokens);

  Sequence open();
  // A new sequence of the first `tokens` of another. Takes no page.
  Sequence fork(Sequence from, std::size_t tokens);
  // Room for `count` more tokens at the end of each; all of them or, where it throws, none. Each
  // sequence at most once. What the new rows hold is anyone's guess until they are written.
  void append(std::span<const Growth> growths);
  void append(Sequence sequence, std::size_t count);
  // Keeps the first `tokens`.
  void truncate(Sequence sequence, std::size_t tokens);
  void release(Sequence sequence);

  bool is_open(Sequence sequence) const noexcept;
  std::size_t length(Sequence sequence) const;
  std::span<const Page> pages(Sequence sequence) const;
  KvReport report() const noexcept;
  const KvShape& shape() const noexcept { return shape_; }
  std::size_t max_sequences() const noexcept { return sequences_.size(); }
  std::size_t context_tokens() const noexcept { return context_tokens_; }

  // Laid out as simd/attend/attend.hpp says.
  std::byte* block(Page page, std::size_t layer, std::size_t head) const noexcept {
    const std::size_t blocks = shape_.layers * shape_.kv_heads;  // of a page
    const std::size_t first = page / kSlabPages * kSlabPages;
    const std::size_t width = std::min(kSlabPages, references_.size() - first);
    const std::size_t place = (layer * shape_.kv_heads + head) * width + page - first;
    return memory_.data() + (first * blocks + place) * block_bytes_;
  }

 private:
  static constexpr std::size_t kSlabPages = 16;
  struct State {
    bool open = false;
    std::size_t length = 0;
    std::vector<Page> pages;
  };

  State& state(Sequence sequence);
  const State& state(Sequence sequence) const;
  std::size_t pages_wanted(const State& state, std::size_t count) const;
  void grow(State& state, std::size_t count) noexcept;
  Page take() noexcept;
  void drop(Page page) noexcept;
  void copy(Page from, Page to) const noexcept;

  KvShape shape_;
  std::size_t context_tokens_;
  std::size_t block_bytes_;
  std::vector<std::uint32_t> references_;  // by page
  LazyMemory memory_;
  std::vector<State> sequences_;
  std::size_t open_ = 0;
  std::size_t used_ = 0;     // pages
  std::size_t touched_ = 0;  // pages beyond have never been taken
  std::priority_queue<Page, std::vector<Page>, std::greater<>> free_;
};

}  // namespace astraweave::decoder
