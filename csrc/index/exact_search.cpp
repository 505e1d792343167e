#include "index/exact_search.hpp"

#include <algorithm>
#include <functional>
#include <limits>

#include "index/row_bounds.hpp"
#include "simd/codes/codes.hpp"

namespace astraweave::index {
namespace {

// Rows at a time: with 384 dimensions 98 KB of codes, and sums that stay in the first cache.
constexpr std::size_t kBlock = 256;
// Queries at a time, so that their sums over a block (32 KB) stay in the cache too.
constexpr std::size_t kTogether = 32;
// Below so many rows scoring all is as quick as preparing not to.
constexpr std::size_t kFewRows = 48;
// With one row in so many allowed, their floats are fewer bytes than all the codes.
constexpr std::size_t kSparse = 4;
// Blocks passed over after a block that bounds did not thin out: doubled up to the most.
constexpr std::size_t kMostSkipped = 16;
constexpr float kLowest = -std::numeric_limits<float>::infinity();

// One query on its way through the rows.
class Search {
 public:
  Search(const SearchTask& task, const float* query)
      : task_(task), scorer_(task.rows, query, task.l2), best_(task.k), lower_(task.k) {}

  // Scores rows first .. first + n - 1, n <= kBlock, as they are.
  void score(std::size_t first, std::size_t n) noexcept {
    alignas(64) float scores[kBlock];
    scorer_.score(first, n, scores);
    for (std::size_t i = 0; i < n; ++i) {
      if (allows(first + i)) best_.offer(scores[i], task_.ids[first + i]);
    }
    if (best_.full()) rise(best_.worst());
  }

  // Whether codes are of no use for the next block; asking counts it.
  bool skips() noexcept {
    if (skipped_ == 0) return false;
    --skipped_;
    return true;
  }

  // The same rows by the sums of their codes: those that may count wait, or are scored.
  void pass(const RowBounds& bounds, std::size_t first, std::size_t n, const std::int32_t* sums) {
    const simd::CodeRowSpan rows = task_.rows.codes().span(first);
    const auto wait_each = [&](std::span<const std::uint32_t> places) {
      for (const std::uint32_t place : places) wait(bounds, first + place, sums[place]);
      if (lower_.full()) rise(lower_.score());
    };
    if (seen_ == 0) promising(bounds, rows, first, n, sums);
    wait_each(promising_);
    std::uint32_t place[kBlock];
    const std::span<std::uint32_t> picked(place, bounds.pick(least_, sums, n, rows, place));
    // By chance alone k in so many rows seen would be picked.
    const bool is_dense = picked.size() > n / 4 && seen_ >= std::max(kBlock, 16 * task_.k);
    seen_ += n;
    if (is_dense) {
      next_skip_ = std::min(2 * next_skip_ + 1, kMostSkipped);
      skipped_ = next_skip_;
      score(first, n);
      return;
    }
    next_skip_ = 0;
    wait_each(unseen(picked));
  }

  const std::vector<Candidate>& finish() noexcept {
    std::erase_if(pending_, [this](const Pending& one) { return one.most < least_; });
    constexpr std::size_t kAhead = 4;
    for (std::size_t i = 0; i < pending_.size(); ++i) {
      if (i == 0) {
        for (std::size_t j = 0; j < kAhead && j < pending_.size(); ++j) prefetch(j);
      }
      if (i + kAhead < pending_.size()) prefetch(i + kAhead);
      if (pending_[i].most < least_) continue;
      float score = 0;
      scorer_.score(pending_[i].slot, 1, &score);
      best_.offer(score, task_.ids[pending_[i].slot]);
      if (best_.full()) rise(best_.worst());
    }
    return best_.sorted();
  }

 private:
  struct Pending {
    float most;
    std::uint32_t slot;
  };

  // At the start nothing is known that a row must reach. A few of the first rows, which look like
  // the k best of them, are taken before the others: their lower bounds are nearly the best that
  // there are. To find them, the best of each group of rows; with so many groups hardly two of the
  // k best share one.
  void promising(const RowBounds& bounds, const simd::CodeRowSpan& rows, std::size_t first,
                 std::size_t n, const std::int32_t* sums) {
    const std::size_t groups = std::max<std::size_t>(32, 4 * task_.k);
    if (groups > n) return;
    std::vector<float> looks(n);
    bounds.estimate(sums, n, rows, looks.data());
    if (task_.filter != nullptr) {
      for (std::size_t i = 0; i < n; ++i) looks[i] = allows(first + i) ? looks[i] : kLowest;
    }
    std::vector<float> best(groups, kLowest);
    for (std::size_t i = 0; i < n;) {
      const std::size_t count = std::min(groups, n - i);
      for (std::size_t j = 0; j < count; ++j, ++i) {
        best[j] = looks[i] > best[j] ? looks[i] : best[j];  // NaN is passed over
      }
    }
    const auto kth = best.begin() + static_cast<std::ptrdiff_t>(task_.k - 1);
    std::nth_element(best.begin(), kth, best.end(), std::greater<>());
    for (std::size_t i = 0; i < n && promising_.size() < groups; ++i) {
      if (looks[i] >= *kth) promising_.push_back(static_cast<std::uint32_t>(i));
    }
  }

  // Takes from those that were picked the promising ones, whose turn is over.
  std::span<std::uint32_t> unseen(std::span<std::uint32_t> picked) {
    if (promising_.empty()) return picked;
    const auto end = std::set_difference(picked.begin(), picked.end(), promising_.begin(),
                                         promising_.end(), picked.begin());
    promising_.clear();
    return {picked.begin(), end};
  }

  void wait(const RowBounds& bounds, std::size_t slot, std::int32_t sum) {
    if (!allows(slot)) return;
    const Interval interval = bounds.of(sum, task_.rows.codes(), slot);
    if (interval.most < least_) return;
    lower_.offer(interval.least);
    pending_.push_back({interval.most, static_cast<std::uint32_t>(slot)});
  }

  void rise(float score) noexcept { least_ = std::max(least_, score); }
  bool allows(std::size_t slot) const noexcept {
    return task_.filter == nullptr || task_.filter->allows(slot);
  }
  void prefetch(std::size_t i) const noexcept { scorer_.prefetch(pending_[i].slot); }

  const SearchTask& task_;
  RowScorer scorer_;
  TopK best_;                             // of what was scored
  KthBest lower_;                         // lower bounds of the others
  std::vector<Pending> pending_;          // may be among the best
  std::vector<std::uint32_t> promising_;  // places in the first block
  // A score that k rows reach: k that were scored, or k whose bounds say so.
  float least_ = kLowest;
  std::size_t seen_ = 0;
  std::size_t skipped_ = 0;
  std::size_t next_skip_ = 0;
};

void score_all(const SearchTask& task, std::vector<Search>& searches) {
  const auto run = [&](std::size_t first, std::size_t n) {
    for (std::size_t done = 0; done < n; done += kBlock) {
      for (Search& search : searches) search.score(first + done, std::min(kBlock, n - done));
    }
  };
  if (task.filter != nullptr) {
    task.filter->for_each_run(run);
  } else {
    run(0, task.rows.size());
  }
}

void scan_codes(const SearchTask& task, const float* queries, std::vector<Search>& searches) {
  const RowStore& rows = task.rows;
  const simd::ScanCodes scan = simd::scan_codes_kernel(simd::active_tier());
  std::vector<simd::CodeQuery> codes;
  std::vector<RowBounds> bounds;
  codes.reserve(searches.size());
  bounds.reserve(searches.size());
  for (std::size_t q = 0; q < searches.size(); ++q) {
    const RoundedQuery rounded = round_query(queries + q * rows.stride(), rows.dims());
    codes.emplace_back(rounded.numbers);
    bounds.emplace_back(rounded, rows.dims(), codes.back().sum(), task.l2);
  }
  std::vector<std::int32_t> sums(searches.size() * kBlock);
  for (std::size_t first = 0; first < rows.size(); first += kBlock) {
    const std::size_t n = std::min(kBlock, rows.size() - first);
    if (searches.size() == 1 && searches[0].skips()) {
      searches[0].score(first, n);
      continue;
    }
    scan(codes.data(), codes.size(), rows.codes().row(first), rows.codes().stride(), n,
         sums.data());
    for (std::size_t q = 0; q < searches.size(); ++q) {
      if (searches.size() > 1 && searches[q].skips()) {
        searches[q].score(first, n);
      } else {
        searches[q].pass(bounds[q], first, n, sums.data() + q * n);
      }
    }
  }
}

}  // namespace

std::vector<std::vector<Candidate>> exact_search(const SearchTask& task, const float* queries,
                                                 std::size_t m) {
  const std::size_t rows = task.rows.size();
  const std::size_t allowed = task.filter != nullptr ? task.filter->count() : rows;
  const bool few = rows < kFewRows || allowed < rows / kSparse || 4 * task.k > allowed;
  std::vector<std::vector<Candidate>> results;
  results.reserve(m);
  for (std::size_t done = 0; done < m; done += kTogether) {
    const float* some = queries + done * task.rows.stride();
    std::vector<Search> searches;
    const std::size_t count = std::min(kTogether, m - done);
    searches.reserve(count);
    for (std::size_t q = 0; q < count; ++q) {
      searches.emplace_back(task, some + q * task.rows.stride());
    }
    if (few) {
      score_all(task, searches);
    } else {
      scan_codes(task, some, searches);
    }
    for (Search& search : searches) results.push_back(search.finish());
  }
  return results;
}

}  // namespace astraweave::index
