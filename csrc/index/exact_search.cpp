#include "index/exact_search.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "index/row_bounds.hpp"
#include "simd/codes/codes.hpp"

namespace astraweave::index {
namespace {

// Rows at a time: with 384 dimensions 98 KB of codes, and sums that stay in the first cache.
constexpr std::size_t kBlock = 256;
constexpr std::size_t kFirstStep = 32;
// Queries at a time, so that their sums over a block (32 KB) stay in the cache too.
constexpr std::size_t kTogether = 32;
// Below so many rows scoring all is as quick as preparing not to.
constexpr std::size_t kFewRows = 48;
// With one row in so many allowed, their floats are fewer bytes than all the codes.
constexpr std::size_t kSparse = 4;
// Blocks passed over after a block that bounds did not thin out: doubled up to the most.
constexpr std::size_t kMostSkipped = 16;

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
  }

  // Whether codes are of no use for the next block; asking counts it.
  bool skips() noexcept {
    if (skipped_ == 0) return false;
    --skipped_;
    return true;
  }

  void bound(const RoundedQuery& query, std::int32_t sum) {
    bounds_.emplace(query, task_.rows.dims(), sum, task_.l2);
    pending_.reserve(4 * task_.k + 64);
  }

  // The same rows by the sums of their codes: those that may count wait, or are scored.
  void pass(std::size_t first, std::size_t n, const std::int32_t* sums) {
    for (std::size_t done = 0; done < n;) {
      // At the start every row may count; small steps soon know better.
      const std::size_t step = std::min(n - done, std::max(seen_, kFirstStep));
      pass_step(first + done, step, sums + done);
      done += step;
    }
  }

  const std::vector<Candidate>& finish() noexcept {
    std::erase_if(pending_, [this](const Pending& one) { return one.most < least(); });
    constexpr std::size_t kAhead = 4;
    for (std::size_t i = 0; i < pending_.size(); ++i) {
      if (i == 0) {
        for (std::size_t j = 0; j < kAhead && j < pending_.size(); ++j) prefetch(j);
      }
      if (i + kAhead < pending_.size()) prefetch(i + kAhead);
      if (pending_[i].most < least()) continue;
      float score = 0;
      scorer_.score(pending_[i].slot, 1, &score);
      best_.offer(score, task_.ids[pending_[i].slot]);
    }
    return best_.sorted();
  }

 private:
  struct Pending {
    float most;
    std::uint32_t slot;
  };

  void pass_step(std::size_t first, std::size_t n, const std::int32_t* sums) {
    const CodeRows& codes = task_.rows.codes();
    std::uint32_t picked[kBlock];
    const std::size_t count = bounds_->pick(sums, n, codes.span(first), picked);
    // By chance alone k in so many rows seen would be picked.
    const bool is_dense = count > n / 4 && seen_ >= std::max(kBlock, 16 * task_.k);
    seen_ += n;
    if (is_dense) {
      next_skip_ = std::min(2 * next_skip_ + 1, kMostSkipped);
      skipped_ = next_skip_;
      score(first, n);
    } else {
      next_skip_ = 0;
      wait(first, sums, {picked, count});
    }
    bounds_->set_threshold(least());
  }

  void wait(std::size_t first, const std::int32_t* sums, std::span<const std::uint32_t> picked) {
    const CodeRows& codes = task_.rows.codes();
    for (const std::uint32_t place : picked) {
      const std::size_t slot = first + place;
      if (!allows(slot)) continue;
      const Interval interval = bounds_->of(sums[place], codes, slot);
      if (interval.most < least()) continue;
      lower_.offer(interval.least, 0);
      pending_.push_back({interval.most, static_cast<std::uint32_t>(slot)});
    }
  }

  // A score that k rows reach: k that were scored, or k whose bounds say so.
  float least() const noexcept {
    float score = -std::numeric_limits<float>::infinity();
    if (best_.full()) score = best_.worst();
    if (lower_.full()) score = std::max(score, lower_.worst());
    return score;
  }
  bool allows(std::size_t slot) const noexcept {
    return task_.filter == nullptr || task_.filter->allows(slot);
  }
  void prefetch(std::size_t i) const noexcept { scorer_.prefetch(pending_[i].slot); }

  const SearchTask& task_;
  RowScorer scorer_;
  TopK best_;   // of what was scored
  TopK lower_;  // lower bounds of the others
  std::optional<RowBounds> bounds_;
  std::vector<Pending> pending_;  // may be among the best
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
  codes.reserve(searches.size());
  for (std::size_t q = 0; q < searches.size(); ++q) {
    const RoundedQuery rounded = round_query(queries + q * rows.stride(), rows.dims());
    codes.emplace_back(rounded.numbers);
    searches[q].bound(rounded, codes.back().sum());
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
        searches[q].pass(first, n, sums.data() + q * n);
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
