#include "decoder/attention.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "error.hpp"

namespace astraweave::decoder {
namespace {

using Unit = AttentionPlan::Unit;
using Task = AttentionPlan::Task;

constexpr std::size_t kRowsAtOnce = 48;

// Of a span, what the token at a position sees.
std::size_t tokens_seen(std::size_t position, std::size_t span) noexcept {
  const std::size_t begin = span * simd::kSpanTokens;
  return position < begin ? 0 : std::min(position + 1 - begin, simd::kSpanTokens);
}

std::size_t spans_seen(std::size_t position) noexcept { return position / simd::kSpanTokens + 1; }

// The blocks of a span, and of the one after it.
struct Blocks {
  const std::byte* now[simd::kSpanPages];
  const std::byte* next[simd::kSpanPages];
};

// The rows of a kernel's call, as they come together.
struct RowList {
  std::array<simd::AttendRow, kRowsAtOnce> rows;
  std::size_t count = 0;
};

}  // namespace

Attention::Attention(KvPages& pages, std::size_t heads, float scale, std::size_t threads)
    : pages_(pages),
      group_(heads / pages.shape().kv_heads),
      scale_(scale),
      threads_(std::max<std::size_t>(threads, 1)),
      kernels_(simd::attend_kernels(simd::active_tier(), pages.shape().kind)) {
  if (heads == 0 || heads % pages.shape().kv_heads != 0) {
    throw Error(ErrorCode::kConfig, std::to_string(heads) + " query heads cannot share " +
                                        std::to_string(pages.shape().kv_heads) +
                                        " KV heads evenly");
  }
  plan_.items.assign(1, 0);
}

void Attention::prepare(std::span<const Part> batch) {
  std::size_t rows = 0;
  for (const Part& part : batch) {
    if (part.count == 0 || pages_.length(part.sequence) != part.first + part.count) {
      throw Error(ErrorCode::kInput, "the new rows of sequence " + std::to_string(part.sequence) +
                                         " must be its last ones, one at least");
    }
    rows += part.count;
  }
  kernels_ = simd::attend_kernels(simd::active_tier(), pages_.shape().kind);
  plan_.make(pages_, batch, group_, threads_);
  row_count_ = rows;
  places_.clear();
  for (const Part& part : batch) {
    const auto pages = pages_.pages(part.sequence);
    for (std::size_t at = part.first; at < part.first + part.count; ++at) {
      places_.push_back({pages[at / simd::kPageTokens], at % simd::kPageTokens});
    }
  }
  const std::size_t floats = plan_.partials * simd::partial_stride(pages_.shape().head_size);
  if (partials_.size() < floats) partials_ = simd::AlignedVector<float>(floats);
  const std::size_t kv_heads = pages_.shape().kv_heads;
  if (waiting_room_ < plan_.units.size() * kv_heads) {
    waiting_room_ = 2 * plan_.units.size() * kv_heads;
    waiting_ = std::make_unique<std::atomic<std::uint32_t>[]>(waiting_room_);
  }
  for (std::size_t i = 0; i < plan_.units.size() * kv_heads; ++i) {
    waiting_[i].store(plan_.units[i / kv_heads].tasks, std::memory_order_relaxed);
  }
}

std::size_t Attention::scratch_floats() const noexcept {
  return 2 * kRowsAtOnce * simd::partial_stride(pages_.shape().head_size);
}

void Attention::write(std::size_t layer, std::size_t begin, std::size_t end, Rows keys,
                      Rows values) const noexcept {
  const std::size_t head_size = pages_.shape().head_size;
  for (std::size_t row = begin; row < end; ++row) {
    const Place place = places_[row];
    for (std::size_t head = 0; head < pages_.shape().kv_heads; ++head) {
      kernels_.store(pages_.block(place.page, layer, head), place.slot, head_size,
                     keys.data + row * keys.stride + head * head_size,
                     values.data + row * values.stride + head * head_size);
    }
  }
}

void Attention::run(std::size_t item, std::size_t layer, Rows queries, Out out,
                    float* scratch) noexcept {
  const std::size_t kv_heads = pages_.shape().kv_heads;
  for (std::size_t i = plan_.items[item]; i < plan_.items[item + 1]; ++i) {
    const Task& task = plan_.tasks[i];
    const std::size_t first_unit = plan_.members[task.units];
    if (plan_.units[first_unit].tasks == 1) {
      run_whole(i, layer, queries, out, scratch);
      continue;
    }
    run_partial(i, layer, queries);
    for (std::size_t m = 0; m < task.count; ++m) {
      const std::size_t u = plan_.members[task.units + m];
      const Unit& unit = plan_.units[u];
      auto& waiting = waiting_[u * kv_heads + task.head];
      if (waiting.fetch_sub(1, std::memory_order_acq_rel) > 1) continue;
      waiting.store(unit.tasks, std::memory_order_relaxed);
      fold_unit(unit, task.head, out);
    }
  }
}

std::size_t Attention::blocks_of(const Task& task, std::size_t span, std::size_t layer,
                                 const std::byte** blocks) const noexcept {
  const Unit& unit = plan_.units[plan_.members[task.units]];
  const std::size_t seen = tokens_seen(unit.position + unit.tokens - 1, span);
  const std::size_t count = (seen + simd::kPageTokens - 1) / simd::kPageTokens;
  for (std::size_t p = 0; p < count; ++p) {
    blocks[p] = pages_.block(unit.pages[span * simd::kSpanPages + p], layer, task.head);
  }
  return count;
}

// What a task attends to, and what this thread will want next: the task's next span, or the next
// task's first, which another thread may be at just as well.
simd::AttendSpan Attention::span_of(std::size_t task, std::size_t span, std::size_t layer,
                                    const std::byte** now, const std::byte** next) const noexcept {
  const std::size_t pages = blocks_of(plan_.tasks[task], span, layer, now);
  std::size_t next_pages = 0;
  if (span + 1 < plan_.tasks[task].last) {
    next_pages = blocks_of(plan_.tasks[task], span + 1, layer, next);
  } else if (task + 1 < plan_.tasks.size()) {
    const Task& after = plan_.tasks[task + 1];
    next_pages = blocks_of(after, after.first, layer, next);
  }
  return {now, pages, pages_.shape().head_size, scale_, next, next_pages};
}

// One unit, all of its spans: the state of its rows stays in the scratch.
void Attention::run_whole(std::size_t index, std::size_t layer, Rows queries, Out out,
                          float* scratch) const noexcept {
  const Task& task = plan_.tasks[index];
  const Unit& unit = plan_.units[plan_.members[task.units]];
  const std::size_t head_size = pages_.shape().head_size;
  const std::size_t stride = simd::partial_stride(head_size);
  const std::size_t all = unit.tokens * group_;
  Blocks blocks;
  const auto number = [&](std::size_t row) {  // of its first query or result
    return (task.head * group_ + row % group_) * head_size;
  };
  for (std::size_t begin = 0; begin < all; begin += kRowsAtOnce) {
    const std::size_t end = std::min(begin + kRowsAtOnce, all);
    for (std::size_t span = 0; span < unit.spans; ++span) {
      RowList list;
      std::size_t first = end;  // row that sees this span; all later ones do
      for (std::size_t row = begin; row < end; ++row) {
        const std::size_t token = row / group_;
        const std::size_t seen = tokens_seen(unit.position + token, span);
        if (seen == 0) continue;
        first = std::min(first, row);
        const std::size_t place = row - begin + (span > 0 ? kRowsAtOnce : 0);
        list.rows[list.count++] = {queries.data + (unit.row + token) * queries.stride + number(row),
                                   seen, scratch + place * stride};
      }
      if (list.count == 0) break;
      kernels_.attend(list.rows.data(), list.count,
                      span_of(index, span, layer, blocks.now, blocks.next));
      if (span == 0) continue;
      for (std::size_t row = first; row < end; ++row) {
        float* state = scratch + (row - begin) * stride;
        kernels_.fold(state, state + kRowsAtOnce * stride, head_size);
      }
    }
    for (std::size_t row = begin; row < end; ++row) {
      kernels_.finish(scratch + (row - begin) * stride, head_size,
                      out.data + (unit.row + row / group_) * out.stride + number(row));
    }
  }
}

// Units with the same pages, span by span; results are left to be folded.
void Attention::run_partial(std::size_t index, std::size_t layer, Rows queries) noexcept {
  const Task& task = plan_.tasks[index];
  const std::size_t head_size = pages_.shape().head_size;
  for (std::size_t span = task.first; span < task.last; ++span) {
    Blocks blocks;
    const simd::AttendSpan pages = span_of(index, span, layer, blocks.now, blocks.next);
    RowList list;
    for (std::size_t m = 0; m < task.count; ++m) {
      const Unit& unit = plan_.units[plan_.members[task.units + m]];
      for (std::size_t row = 0; row < unit.tokens * group_; ++row) {
        const std::size_t token = row / group_;
        const std::size_t seen = tokens_seen(unit.position + token, span);
        if (seen == 0) continue;
        const float* query = queries.data + (unit.row + token) * queries.stride +
                             (task.head * group_ + row % group_) * head_size;
        list.rows[list.count++] = {query, seen, partial(unit, task.head, row, span)};
        if (list.count < kRowsAtOnce) continue;
        kernels_.attend(list.rows.data(), list.count, pages);
        list.count = 0;
      }
    }
    if (list.count > 0) kernels_.attend(list.rows.data(), list.count, pages);
  }
}

float* Attention::partial(const Unit& unit, std::size_t head, std::size_t row,
                          std::size_t span) noexcept {
  const std::size_t place = unit.partials + (head * unit.tokens * group_ + row) * unit.spans + span;
  return partials_.data() + place * simd::partial_stride(pages_.shape().head_size);
}

void Attention::fold_unit(const Unit& unit, std::size_t head, Out out) noexcept {
  const std::size_t head_size = pages_.shape().head_size;
  for (std::size_t row = 0; row < unit.tokens * group_; ++row) {
    const std::size_t token = row / group_;
    float* state = partial(unit, head, row, 0);
    for (std::size_t span = 1; span < spans_seen(unit.position + token); ++span) {
      kernels_.fold(state, partial(unit, head, row, span), head_size);
    }
    kernels_.finish(
        state, head_size,
        out.data + (unit.row + token) * out.stride + (head * group_ + row % group_) * head_size);
  }
}

}  // namespace astraweave::decoder
