// Search: which way is taken, and how what it finds is ranked.
#include <algorithm>
#include <atomic>
#include <bit>
#include <cfloat>
#include <cmath>
#include <limits>
#include <shared_mutex>

#include "error.hpp"
#include "index/hnsw_index.hpp"
#include "index/in_threads.hpp"
#include "simd/prefetch.hpp"
#include "simd/scan/scan.hpp"

namespace astraweave::index {
namespace {

// Keeping one candidate more costs a walk about as much as scanning so many rows costs (each
// candidate brings about as many rows to look at, which lie anywhere): measured at 20,000 and
// 100,000 rows of 384 dimensions.
constexpr std::size_t kRowsPerCandidate = 60;

// Ranking ends after so many candidates, or k if that is more, that all stay outside the k best:
// the codes' order is too good for a later one.
constexpr std::size_t kPatience = 8;

// Rows are asked for while so many before them are scored.
constexpr std::size_t kAhead = 2;

bool precedes(const Hit& a, const Hit& b) noexcept {
  return a.score > b.score || (a.score == b.score && a.id < b.id);
}

}  // namespace

// How many rows the scope leaves, for tags about; with ids it is exact, and they are marked in
// context.wanted.
std::size_t HnswIndex::wanted_rows(const Scope& scope, WalkContext& context) const {
  if (scope.ids) {
    for (const Id id : *scope.ids) {
      const Slot slot = find(id);
      if (slot == kNoSlot) continue;
      if (scope.any_tags && (nodes_.tags(slot) & *scope.any_tags) == 0) continue;
      context.wanted.add(slot);
    }
    return context.wanted.members().size();
  }
  if (!scope.any_tags) return live_;
  std::uint64_t rows = 0;
  for (Tags left = *scope.any_tags; left != 0; left &= left - 1) {
    rows += tag_rows_[static_cast<std::size_t>(std::countr_zero(left))];
  }
  return static_cast<std::size_t>(std::min<std::uint64_t>(rows, live_));
}

// Fills the pool with the nearest of all rows in the scope.
void HnswIndex::scan(const Probe& probe, const Scope& scope, std::size_t limit,
                     WalkContext& context) const {
  std::vector<Slot>& some = context.list;
  some.clear();
  if (scope.ids) {
    some = context.wanted.members();
    std::sort(some.begin(), some.end());
  } else if (scope.any_tags) {
    for (Slot slot = 0; slot < nodes_.count(); ++slot) {
      if ((nodes_.tags(slot) & *scope.any_tags) != 0) some.push_back(slot);
    }
  } else {
    for (Slot slot = 0; slot < nodes_.count(); ++slot) {
      if (nodes_.live(slot)) some.push_back(slot);
    }
  }
  context.pool.reset(limit);
  offer_all(nodes_, kernels_, probe, some, context);
}

void HnswIndex::walk_for(const Probe& probe, std::size_t limit, WalkContext& context) const {
  Near start{score_one(nodes_, kernels_, probe, entry_), entry_};
  start = descend(nodes_, kernels_, probe, start, nodes_.head(entry_).level, 0, context);
  walk(nodes_, kernels_, probe, start, 0, limit, context);
}

// What the pool holds of the scope goes to context.candidates, nearest first.
void HnswIndex::keep_wanted(const Scope& scope, WalkContext& context) const {
  context.candidates.clear();
  for (std::size_t i = 0; i < context.pool.size(); ++i) {
    const Near one = context.pool[i];
    const bool wanted = scope.ids        ? context.wanted.contains(one.slot)
                        : scope.any_tags ? (nodes_.tags(one.slot) & *scope.any_tags) != 0
                                         : nodes_.live(one.slot);
    if (wanted) context.candidates.push_back(one);
  }
}

// Of the vector as it is kept; higher is nearer, for L2 the squared distance with its sign turned.
// Equal rows get equal bits.
float HnswIndex::exact_score(const float* query, Slot slot, WalkContext& context) const noexcept {
  const bool l2 = metric() == Metric::kL2;
  const simd::Tier tier = kernels_.tier;
  float score = 0;
  if (options_.storage == Storage::kFloat16) {
    const auto kernel = l2 ? simd::scan_l2_f16_kernel(tier) : simd::scan_dot_f16_kernel(tier);
    const auto* row = reinterpret_cast<const std::uint16_t*>(nodes_.row(slot));
    kernel(query, row, dims(), 1, dims(), &score);
  } else {
    const auto kernel = l2 ? simd::scan_l2_f32_kernel(tier) : simd::scan_dot_f32_kernel(tier);
    const auto* row = reinterpret_cast<const float*>(nodes_.row(slot));
    if (row == nullptr) {
      nodes_.read_vector(slot, context.row.data());
      row = context.row.data();
    }
    kernel(query, row, dims(), 1, dims(), &score);
  }
  if (!std::isfinite(score)) score = l2 ? FLT_MAX : -FLT_MAX;  // only a damaged file's row
  return l2 ? -score : score;
}

std::vector<Hit> HnswIndex::rank(const float* query, std::size_t k, WalkContext& context) const {
  const std::vector<Near>& candidates = context.candidates;
  const std::size_t wanted = std::min(k, candidates.size());
  const std::size_t patience = std::max(k, kPatience);
  std::vector<Hit> best;
  best.reserve(wanted + 1);
  std::size_t in_vain = 0;
  for (std::size_t i = 0; i < candidates.size() && in_vain < patience; ++i) {
    if (i + kAhead < candidates.size()) {
      simd::prefetch(nodes_.row(candidates[i + kAhead].slot), nodes_.row_bytes());
    }
    const Slot slot = candidates[i].slot;
    const Hit hit{nodes_.head(slot).id, exact_score(query, slot, context)};
    ++in_vain;
    if (best.size() == wanted && !precedes(hit, best.back())) continue;
    in_vain = 0;
    best.insert(std::upper_bound(best.begin(), best.end(), hit, precedes), hit);
    if (best.size() > wanted) best.pop_back();
  }
  if (metric() == Metric::kL2) {
    for (Hit& hit : best) hit.score = std::sqrt(-hit.score);
  }
  return best;
}

std::vector<Hit> HnswIndex::search(const float* query, std::size_t k, const Scope& scope,
                                   std::size_t ef) const {
  if (k < 1) throw Error(ErrorCode::kInput, "k must be at least 1");
  if (ef > kMaxEf) {
    throw Error(ErrorCode::kInput, "ef must be at most " + std::to_string(kMaxEf));
  }
  check(query, "the query");
  AlignedFloats prepared(nodes_.stride());
  prepare(query, prepared.data());

  const std::shared_lock lock(mutex_);
  const WalkContexts::Lease context(contexts_, nodes_);
  const std::size_t wanted = wanted_rows(scope, *context);
  if (live_ == 0 || wanted == 0 || entry_ == kNoSlot) return {};
  const Probe probe = nodes_.probe(prepared.data(), context->numbers.data());
  const std::size_t limit = ef > 0 ? std::max(std::min(k, wanted), ef)
                                   : std::max(2 * std::min(k, wanted), options_.ef_search);
  // Of what a walk keeps, only this share counts.
  const double share = static_cast<double>(wanted) /
                       static_cast<double>(live_ + leaving_[0].size() + leaving_[1].size());
  const double enlarged = static_cast<double>(limit) / share;
  const bool walks = enlarged * kRowsPerCandidate < static_cast<double>(wanted);
  if (walks) {
    walk_for(probe, static_cast<std::size_t>(enlarged) + 1, *context);
    keep_wanted(scope, *context);
  }
  // A scope may lie anywhere but near the query; and at the edge of what was seen a walk is unsure.
  const bool scoped = scope.ids || scope.any_tags;
  if (!walks || context->candidates.size() < std::min(wanted, scoped ? 2 * k : k)) {
    scan(probe, scope, limit, *context);
    keep_wanted(scope, *context);
  }
  return rank(prepared.data(), k, *context);
}

Hits HnswIndex::search_many(const float* queries, std::size_t m, std::size_t k, const Scope& scope,
                            std::size_t ef, std::size_t threads) const {
  if (threads < 1 || threads > kMaxThreads) {
    throw Error(ErrorCode::kInput, "threads must be 1 to " + std::to_string(kMaxThreads) +
                                       ", not " + std::to_string(threads));
  }
  std::vector<std::vector<Hit>> found(m);
  std::atomic<std::size_t> next{0};
  in_threads(std::min(m, threads), threads, [&](std::size_t, std::size_t) {
    for (std::size_t i = next++; i < m; i = next++) {
      found[i] = search(queries + i * dims(), k, scope, ef);
    }
  });
  Hits hits;
  hits.per_query = m == 0 ? 0 : k;  // fewer where a writer took rows away between two queries
  for (const auto& each : found) hits.per_query = std::min(hits.per_query, each.size());
  hits.all.reserve(m * hits.per_query);
  for (const auto& each : found) {
    const auto end = each.begin() + static_cast<std::ptrdiff_t>(hits.per_query);
    hits.all.insert(hits.all.end(), each.begin(), end);
  }
  return hits;
}

void HnswIndex::scores(const float* query, std::span<const Id> ids, float* out) const {
  check(query, "the query");
  AlignedFloats prepared(nodes_.stride());
  prepare(query, prepared.data());
  const std::shared_lock lock(mutex_);
  const WalkContexts::Lease context(contexts_, nodes_);
  for (const Id id : ids) {
    const Slot slot = find(id);
    float score = std::numeric_limits<float>::quiet_NaN();
    if (slot != kNoSlot) {
      score = exact_score(prepared.data(), slot, *context);
      if (metric() == Metric::kL2) score = std::sqrt(-score);
    }
    *out++ = score;
  }
}

}  // namespace astraweave::index
