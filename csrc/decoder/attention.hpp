// Causal attention of a step's new rows to the pages of their sequences, in pieces for many
// threads.
//
// A step: KvPages::append for all sequences, prepare(batch) once, and for each layer write() the
// new keys and values, then (all of them written) every item through run(), in any order, on any
// threads. The rows of a batch are numbered sequence by sequence, in the order of their tokens.
//
// How the work is cut. A sequence is seen in spans of 128 tokens, counted from its first token.
// Spans whose pages several sequences of the batch have in common are attended once, by the rows
// of all of them. The rest is attended sequence by sequence, in one go where there are sequences
// enough for all threads, else span by span. The partial results of a row's spans are folded in the
// order of its tokens, always.
//
// Therefore, bit for bit: the attention of a row depends on its query and on the keys and values of
// its own sequence up to its position. It does not depend on the other sequences of the batch, on
// which pages are shared, on how the prompt was cut into steps, nor on threads and items.
//
// Contract:
// - prepare() belongs to one thread, with nothing else under way; it holds until the pages of one
//   of its sequences change. It throws kInput for a batch that does not end where its sequences do.
// - write() and run() do not throw and may be called from many threads at once: write() for
//   different rows, run() for different items, each with a scratch of its own. Nothing may run of a
//   layer whose rows are still being written, nor of two layers at once.
// - Every item of a layer must run once before the next layer's.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "decoder/attention_plan.hpp"
#include "decoder/kv_pages.hpp"
#include "simd/attend/attend.hpp"
#include "simd/cache_line.hpp"

namespace astraweave::decoder {

class Attention {
 public:
  // One sequence's new rows: they stand at positions first .. first + count - 1, which are the last
  // ones of the sequence (append came before).
  using Part = AttentionPlan::Part;
  // Numbers of each row, the rows `stride` floats apart.
  struct Rows {
    const float* data;
    std::size_t stride;
  };
  struct Out {
    float* data;
    std::size_t stride;
  };

  // heads is a multiple of the pages' KV heads: query head h reads KV head h / (heads / kv_heads).
  // threads: how many will call run(); decides how finely the work is cut, never what it yields.
  Attention(KvPages& pages, std::size_t heads, float scale, std::size_t threads);

  void prepare(std::span<const Part> batch);
  std::size_t rows() const noexcept { return row_count_; }
  std::size_t items() const noexcept { return plan_.items.size() - 1; }
  // Floats of the scratch that each thread brings to run(), on a cache line.
  std::size_t scratch_floats() const noexcept;

  // Keys and values of rows [begin, end), KV head after KV head, rope already applied. The pointers
  // are those of row 0.
  void write(std::size_t layer, std::size_t begin, std::size_t end, Rows keys,
             Rows values) const noexcept;
  // Queries and results: head after head.
  void run(std::size_t item, std::size_t layer, Rows queries, Out out, float* scratch) noexcept;

 private:
  // Where a unit's new keys and values go, token by token.
  struct Place {
    KvPages::Page page;
    std::size_t slot;
  };

  void run_whole(std::size_t index, std::size_t layer, Rows queries, Out out,
                 float* scratch) const noexcept;
  void run_partial(std::size_t index, std::size_t layer, Rows queries) noexcept;
  void fold_unit(const AttentionPlan::Unit& unit, std::size_t head, Out out) noexcept;
  std::size_t blocks_of(const AttentionPlan::Task& task, std::size_t span, std::size_t layer,
                        const std::byte** blocks) const noexcept;
  simd::AttendSpan span_of(std::size_t task, std::size_t span, std::size_t layer,
                           const std::byte** now, const std::byte** next) const noexcept;
  float* partial(const AttentionPlan::Unit& unit, std::size_t head, std::size_t row,
                 std::size_t span) noexcept;

  KvPages& pages_;
  std::size_t group_;  // query heads to a KV head
  float scale_;
  std::size_t threads_;
  std::size_t row_count_ = 0;
  simd::AttendKernels kernels_;
  AttentionPlan plan_;
  std::vector<Place> places_;  // by row
  simd::AlignedVector<float> partials_;
  // By unit and KV head: tasks still to come; who runs the last one folds, and sets it up again.
  std::unique_ptr<std::atomic<std::uint32_t>[]> waiting_;
  std::size_t waiting_room_ = 0;
};

}  // namespace astraweave::decoder
