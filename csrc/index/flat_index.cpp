#include "index/flat_index.hpp"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <mutex>
#include <numeric>
#include <shared_mutex>
#include <unordered_set>

#include "error.hpp"
#include "index/top_k.hpp"
#include "simd/scan/scan.hpp"

namespace astraweave::index {
namespace {

// Rows scored at a time: the scores stay in the first cache.
constexpr std::size_t kBlock = 256;

// Two vectors below this squared length have a product and a squared distance that float32 holds.
constexpr double kMaxSquaredLength = FLT_MAX / 8.0;

struct View {
  const Rows& rows;
  const Id* ids;
  const float* query;  // stride() floats, aligned, zeros behind dims()
  simd::ScanF32 kernel;
  float sign;  // -1 turns distances into scores
};

// Rows first .. first + n - 1, which lie one after another.
void offer_run(const View& view, std::size_t first, std::size_t n, TopK& best) noexcept {
  const std::size_t stride = view.rows.stride();
  alignas(64) float scores[kBlock];
  while (n > 0) {
    const std::size_t count = std::min(n, kBlock);
    view.kernel(view.query, view.rows.row(first), stride, count, stride, scores);
    for (std::size_t i = 0; i < count; ++i) {
      best.offer(view.sign * scores[i], view.ids[first + i]);
    }
    first += count;
    n -= count;
  }
}

// `slots` ascending; neighbours are scored together.
void offer_slots(const View& view, const std::vector<std::uint32_t>& slots, TopK& best) noexcept {
  for (std::size_t begin = 0; begin < slots.size();) {
    std::size_t end = begin + 1;
    while (end < slots.size() && slots[end] == slots[end - 1] + 1) ++end;
    offer_run(view, slots[begin], end - begin, best);
    begin = end;
  }
}

double squared_length(const float* vector, std::size_t n) noexcept {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(vector[i]) * vector[i];
  return sum;
}

std::string quoted(Id id) { return "id " + std::to_string(id); }

}  // namespace

std::string_view metric_name(Metric metric) noexcept {
  switch (metric) {
    case Metric::kDot:
      return "dot";
    case Metric::kL2:
      return "l2";
    case Metric::kCosine:
      break;
  }
  return "cosine";
}

Metric parse_metric(std::string_view name) {
  for (const Metric metric : {Metric::kCosine, Metric::kDot, Metric::kL2}) {
    if (metric_name(metric) == name) return metric;
  }
  throw Error(ErrorCode::kInput,
              "metric '" + std::string(name) + "' is unknown; say 'cosine', 'dot' or 'l2'");
}

FlatIndex::FlatIndex(std::size_t dims, Metric metric) : metric_(metric), rows_(dims) {
  if (dims < 1 || dims > kMaxDims) {
    throw Error(ErrorCode::kInput, "a vector has 1 to " + std::to_string(kMaxDims) +
                                       " dimensions, not " + std::to_string(dims));
  }
}

std::size_t FlatIndex::size() const {
  const std::shared_lock lock(mutex_);
  return ids_.size();
}

bool FlatIndex::contains(Id id) const {
  const std::shared_lock lock(mutex_);
  return slots_.count(id) > 0;
}

void FlatIndex::check(const float* vector, const char* what) const {
  const std::size_t n = dims();
  for (std::size_t i = 0; i < n; ++i) {
    if (!std::isfinite(vector[i])) {
      throw Error(ErrorCode::kInput, std::string(what) + " has " +
                                         (std::isnan(vector[i]) ? "NaN" : "infinity") +
                                         " at position " + std::to_string(i));
    }
  }
  const double squared = squared_length(vector, n);
  if (metric_ == Metric::kCosine) {
    if (squared == 0) {
      throw Error(ErrorCode::kInput,
                  std::string(what) + " is all zeros, which has no direction for cosine");
    }
  } else if (squared > kMaxSquaredLength) {
    throw Error(ErrorCode::kInput,
                std::string(what) + " is too long: its products overflow float32");
  }
}

void FlatIndex::store(const float* vector, float* row) const noexcept {
  const std::size_t n = dims();
  if (metric_ != Metric::kCosine) {
    std::copy_n(vector, n, row);
    return;
  }
  const double scale = 1.0 / std::sqrt(squared_length(vector, n));
  for (std::size_t i = 0; i < n; ++i) row[i] = static_cast<float>(vector[i] * scale);
}

// Slots for new ids, their rows zero. Changes nothing when it throws.
void FlatIndex::push(std::span<const Id> ids) {
  const std::size_t before = ids_.size();
  if (ids.size() > std::numeric_limits<Slot>::max() - before) {
    throw Error(ErrorCode::kCapacity, "an index holds at most 4294967295 vectors");
  }
  rows_.reserve_more(ids.size());
  ids_.reserve(before + ids.size());
  std::size_t done = 0;
  try {
    for (; done < ids.size(); ++done) {
      if (!slots_.emplace(ids[done], static_cast<Slot>(before + done)).second) {
        throw Error(ErrorCode::kInput, quoted(ids[done]) + " is there already, or comes twice; " +
                                           "update replaces a vector");
      }
    }
  } catch (...) {
    for (std::size_t i = 0; i < done; ++i) slots_.erase(ids[i]);
    throw;
  }
  ids_.insert(ids_.end(), ids.begin(), ids.end());
}

void FlatIndex::insert(std::span<const Id> ids, const float* vectors) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    check(vectors + i * dims(), ("the vector of " + quoted(ids[i])).c_str());
  }
  const std::unique_lock lock(mutex_);
  push(ids);
  for (std::size_t i = 0; i < ids.size(); ++i) store(vectors + i * dims(), rows_.push_zero());
}

void FlatIndex::update(Id id, const float* vector) {
  check(vector, ("the vector of " + quoted(id)).c_str());
  const std::unique_lock lock(mutex_);
  const auto found = slots_.find(id);
  if (found == slots_.end()) {
    throw Error(ErrorCode::kInput, quoted(id) + " is not in the index; insert adds it");
  }
  store(vector, rows_.writable(found->second));
}

bool FlatIndex::remove(Id id) {
  const std::unique_lock lock(mutex_);
  const auto found = slots_.find(id);
  if (found == slots_.end()) return false;
  const Slot slot = found->second;
  const std::size_t last = ids_.size() - 1;
  rows_.copy_over(last, slot);
  if (slot != last) {
    ids_[slot] = ids_[last];
    slots_.find(ids_[slot])->second = slot;
  }
  slots_.erase(found);
  ids_.pop_back();
  rows_.pop();
  return true;
}

bool FlatIndex::get(Id id, float* out) const {
  const std::shared_lock lock(mutex_);
  const auto found = slots_.find(id);
  if (found == slots_.end()) return false;
  std::copy_n(rows_.row(found->second), dims(), out);
  return true;
}

std::vector<Id> FlatIndex::ids() const {
  std::vector<Id> result;
  {
    const std::shared_lock lock(mutex_);
    result = ids_;
  }
  std::sort(result.begin(), result.end());
  return result;
}

std::vector<Hit> FlatIndex::search(const float* query, std::size_t k,
                                   std::optional<std::span<const Id>> allowed) const {
  if (k < 1) throw Error(ErrorCode::kInput, "k must be at least 1");
  check(query, "the query");
  AlignedFloats prepared(rows_.stride());
  store(query, prepared.data());
  const simd::Tier tier = simd::active_tier();
  const bool l2 = metric_ == Metric::kL2;
  const simd::ScanF32 kernel =
      l2 ? simd::scan_l2_f32_kernel(tier) : simd::scan_dot_f32_kernel(tier);

  const std::shared_lock lock(mutex_);
  const View view{rows_, ids_.data(), prepared.data(), kernel, l2 ? -1.0f : 1.0f};
  TopK best(std::min(k, allowed ? std::min(allowed->size(), ids_.size()) : ids_.size()));
  if (allowed) {
    std::vector<Slot> slots;
    slots.reserve(allowed->size());
    for (const Id id : *allowed) {
      if (const auto found = slots_.find(id); found != slots_.end()) slots.push_back(found->second);
    }
    std::sort(slots.begin(), slots.end());
    slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
    offer_slots(view, slots, best);
  } else {
    offer_run(view, 0, ids_.size(), best);
  }
  std::vector<Hit> hits;
  for (const Candidate& one : best.sorted()) {
    hits.push_back({one.id, l2 ? std::sqrt(-one.score) : one.score});
  }
  return hits;
}

}  // namespace astraweave::index
