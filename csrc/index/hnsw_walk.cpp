#include "index/hnsw_walk.hpp"

#include <algorithm>
#include <cstring>

#if defined(_MSC_VER) && defined(_M_X64)
#include <intrin.h>
#endif

namespace astraweave::index {
namespace {

#if defined(__GNUC__)
inline void prefetch(const void* address) noexcept { __builtin_prefetch(address); }
#elif defined(_M_X64)
inline void prefetch(const void* address) noexcept {
  _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T0);
}
#else
inline void prefetch(const void*) noexcept {}
#endif

constexpr std::size_t kLine = 64;
// Of a row; further lines follow by the processor's own foresight.
constexpr std::size_t kPrefetchBytes = 8 * kLine;
// Rows that are scored together where there is a list of them.
constexpr std::size_t kTogether = 32;

inline void fetch_row(const std::uint8_t* row, std::size_t stride) noexcept {
  const std::size_t ahead = std::min(stride, kPrefetchBytes);
  for (std::size_t offset = 0; offset < ahead; offset += kLine) prefetch(row + offset);
}

}  // namespace

void NearPool::reset(std::size_t limit) {
  limit_ = limit;
  size_ = cursor_ = 0;
  if (entries_.size() < limit + 1) entries_.resize(limit + 1);
}

void NearPool::offer(float score, Slot slot) noexcept {
  if (!takes(score)) return;
  const auto end = entries_.begin() + static_cast<std::ptrdiff_t>(size_);
  const auto place =
      std::upper_bound(entries_.begin(), end, score,
                       [](float wanted, const Near& one) { return wanted > one.score; });
  const auto at = static_cast<std::size_t>(place - entries_.begin());
  std::memmove(&entries_[at + 1], &entries_[at], (size_ - at) * sizeof(Near));
  entries_[at] = {score, slot};
  if (size_ < limit_) ++size_;
  cursor_ = std::min(cursor_, at);
}

Slot NearPool::next() noexcept {
  if (cursor_ >= size_) return kNoSlot;
  const Slot slot = entries_[cursor_].slot;
  entries_[cursor_].slot |= kTaken;
  do ++cursor_;
  while (cursor_ < size_ && (entries_[cursor_].slot & kTaken) != 0);
  return slot;
}

void WalkContext::fit(const Nodes& nodes) {
  seen.reserve(nodes.count());
  wanted.reserve(nodes.count());
  fit_step(std::max(nodes.max_links(0), kTogether));
  numbers.resize(nodes.stride());
  row.resize(nodes.dims());
  other.resize(nodes.stride());
}

void WalkContext::fit_step(std::size_t n) {
  if (slots.size() < n) slots.resize(n);
  if (rows.size() < n) rows.resize(n);
  if (sums.size() < n) sums.resize(n);
}

WalkContexts::Lease::Lease(WalkContexts& owner, const Nodes& nodes) : owner_(owner) {
  {
    const std::lock_guard<std::mutex> lock(owner_.mutex_);
    if (!owner_.idle_.empty()) {
      context_ = std::move(owner_.idle_.back());
      owner_.idle_.pop_back();
    }
  }
  if (!context_) context_ = std::make_unique<WalkContext>();
  context_->fit(nodes);
}

WalkContexts::Lease::~Lease() {
  context_->seen.clear();
  context_->wanted.clear();
  const std::lock_guard<std::mutex> lock(owner_.mutex_);
  owner_.idle_.push_back(std::move(context_));
}

float score_one(const Nodes& nodes, const Kernels& kernels, const Probe& probe,
                Slot slot) noexcept {
  const std::uint8_t* row = nodes.codes(slot);
  std::int32_t sum = 0;
  kernels.walk(probe.numbers, probe.sum, &row, 1, nodes.stride(), &sum);
  return score(probe, sum, nodes.factors(slot));
}

namespace {

template <class Take>
void score_each(const Nodes& nodes, const Kernels& kernels, const Probe& probe,
                std::span<const Slot> slots, WalkContext& context, const Take& take) {
  const std::size_t stride = nodes.stride();
  for (std::size_t first = 0; first < slots.size(); first += kTogether) {
    const std::size_t n = std::min(kTogether, slots.size() - first);
    for (std::size_t i = 0; i < n; ++i) {
      context.rows[i] = nodes.codes(slots[first + i]);
      fetch_row(context.rows[i], stride);
    }
    kernels.walk(probe.numbers, probe.sum, context.rows.data(), n, stride, context.sums.data());
    for (std::size_t i = 0; i < n; ++i) {
      const Slot slot = slots[first + i];
      take(score(probe, context.sums[i], nodes.factors(slot)), slot);
    }
  }
}

}  // namespace

void score_all(const Nodes& nodes, const Kernels& kernels, const Probe& probe,
               std::span<const Slot> slots, WalkContext& context) {
  score_each(nodes, kernels, probe, slots, context,
             [&](float score, Slot slot) { context.candidates.push_back({score, slot}); });
}

void offer_all(const Nodes& nodes, const Kernels& kernels, const Probe& probe,
               std::span<const Slot> slots, WalkContext& context) {
  score_each(nodes, kernels, probe, slots, context,
             [&](float score, Slot slot) { context.pool.offer(score, slot); });
}

void walk(const Nodes& nodes, const Kernels& kernels, const Probe& probe, Near start,
          std::size_t level, std::size_t limit, WalkContext& context) {
  context.pool.reset(limit);
  context.seen.clear();
  context.seen.add(start.slot);
  context.pool.offer(start.score, start.slot);
  const std::size_t count = nodes.count();
  const std::size_t stride = nodes.stride();
  for (Slot slot = context.pool.next(); slot != kNoSlot; slot = context.pool.next()) {
    std::size_t n = 0;
    for (const Slot link : nodes.links(slot, level)) {
      if (link >= count) break;
      if (!context.seen.add(link)) continue;
      const std::uint8_t* row = nodes.codes(link);
      fetch_row(row, stride);
      prefetch(&nodes.factors(link));
      context.slots[n] = link;
      context.rows[n++] = row;
    }
    if (level == 0 && context.pool.peek() != kNoSlot) {
      const std::byte* links = nodes.links_address(context.pool.peek());
      prefetch(links);
      prefetch(links + kLine);
    }
    kernels.walk(probe.numbers, probe.sum, context.rows.data(), n, stride, context.sums.data());
    for (std::size_t i = 0; i < n; ++i) {
      const Slot link = context.slots[i];
      context.pool.offer(score(probe, context.sums[i], nodes.factors(link)), link);
    }
  }
}

Near descend(const Nodes& nodes, const Kernels& kernels, const Probe& probe, Near start,
             std::size_t from, std::size_t to, WalkContext& context) {
  const std::size_t count = nodes.count();
  for (std::size_t level = from; level > to; --level) {
    for (bool moved = true; moved;) {
      moved = false;
      std::size_t n = 0;
      for (const Slot link : nodes.links(start.slot, level)) {
        if (link >= count) break;
        context.slots[n] = link;
        context.rows[n++] = nodes.codes(link);
      }
      kernels.walk(probe.numbers, probe.sum, context.rows.data(), n, nodes.stride(),
                   context.sums.data());
      for (std::size_t i = 0; i < n; ++i) {
        const Slot link = context.slots[i];
        const float found = score(probe, context.sums[i], nodes.factors(link));
        if (found > start.score) {
          start = {found, link};
          moved = true;
        }
      }
    }
  }
  return start;
}

}  // namespace astraweave::index
