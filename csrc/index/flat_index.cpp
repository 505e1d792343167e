#include "index/flat_index.hpp"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <mutex>
#include <shared_mutex>

#include "error.hpp"
#include "index/exact_search.hpp"
#include "index/in_threads.hpp"
#include "simd/half/half.hpp"

namespace astraweave::index {
namespace {

// Two vectors below this squared length have a product and a squared distance that float32 holds.
constexpr double kMaxSquaredLength = FLT_MAX / 8.0;

double squared_length(const float* vector, std::size_t n) noexcept {
  double sum[4] = {0, 0, 0, 0};
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (std::size_t lane = 0; lane < 4; ++lane) {
      sum[lane] += double{vector[i + lane]} * vector[i + lane];
    }
  }
  for (; i < n; ++i) sum[0] += double{vector[i]} * vector[i];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

template <class T>
void reserve_more(std::vector<T>& values, std::size_t n) {
  const std::size_t wanted = values.size() + n;
  if (wanted > values.capacity()) values.reserve(std::max(wanted, values.capacity() * 3 / 2));
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

FlatIndex::FlatIndex(std::size_t dims, Metric metric, Storage storage)
    : metric_(metric), rows_(dims, storage) {
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
  const double squared = squared_length(vector, dims());
  if (!std::isfinite(squared)) {  // floats squared do not overflow a double
    const float* bad =
        std::find_if_not(vector, vector + dims(), [](float x) { return std::isfinite(x); });
    throw Error(ErrorCode::kInput, std::string(what) + " has " +
                                       (std::isnan(*bad) ? "NaN" : "infinity") + " at position " +
                                       std::to_string(bad - vector));
  }
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

// As check(), for a vector that is to be kept.
void FlatIndex::check_stored(const float* vector, const char* what) const {
  check(vector, what);
  if (metric_ == Metric::kCosine || storage() != Storage::kFloat16) return;
  for (std::size_t i = 0; i < dims(); ++i) {
    if (std::abs(vector[i]) > simd::kMaxHalf) {
      throw Error(ErrorCode::kInput, std::string(what) + " has a number at position " +
                                         std::to_string(i) +
                                         " that float16 does not hold (at most 65504)");
    }
  }
}

void FlatIndex::prepare(const float* vector, float* out) const noexcept {
  const std::size_t n = dims();
  if (metric_ != Metric::kCosine) {
    std::copy_n(vector, n, out);
    return;
  }
  const double scale = 1.0 / std::sqrt(squared_length(vector, n));
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<float>(vector[i] * scale);
}

AlignedFloats FlatIndex::prepare_queries(const float* queries, std::size_t m) const {
  AlignedFloats prepared(m * rows_.stride());
  for (std::size_t q = 0; q < m; ++q) {
    const float* query = queries + q * dims();
    check(query, m == 1 ? "the query" : ("query " + std::to_string(q)).c_str());
    prepare(query, prepared.data() + q * rows_.stride());
  }
  return prepared;
}

RowStore FlatIndex::prepare_rows(std::span<const Id> ids, const float* vectors) const {
  RowStore rows(dims(), storage());
  rows.reserve_more(ids.size());
  std::vector<float> kept(dims());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    check_stored(vectors + i * dims(), ("the vector of " + quoted(ids[i])).c_str());
    prepare(vectors + i * dims(), kept.data());
    rows.push_zero();
    rows.write(i, kept.data());
  }
  return rows;
}

// Slots for new ids; tags and rows are still to come. Changes nothing when it throws.
void FlatIndex::push(std::span<const Id> ids) {
  const std::size_t before = ids_.size();
  if (ids.size() > std::numeric_limits<Slot>::max() - before) {
    throw Error(ErrorCode::kCapacity, "an index holds at most 4294967295 vectors");
  }
  rows_.reserve_more(ids.size());
  reserve_more(ids_, ids.size());
  reserve_more(tags_, ids.size());
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

void FlatIndex::insert(std::span<const Id> ids, const float* vectors, std::span<const Tags> tags) {
  if (!tags.empty() && tags.size() != ids.size()) {
    throw Error(ErrorCode::kInput, "there are " + std::to_string(ids.size()) + " ids and " +
                                       std::to_string(tags.size()) + " tags");
  }
  const RowStore rows = prepare_rows(ids, vectors);
  const std::unique_lock lock(mutex_);
  push(ids);
  rows_.append(rows);
  tags_.insert(tags_.end(), tags.begin(), tags.end());
  tags_.resize(ids_.size());
}

void FlatIndex::update(Id id, const float* vector, std::optional<Tags> tags) {
  const RowStore row = prepare_rows({&id, 1}, vector);
  const std::unique_lock lock(mutex_);
  const Slot slot = slot_of(id);
  rows_.copy_from(row, 0, slot);
  if (tags) tags_[slot] = *tags;
}

void FlatIndex::set_tags(Id id, Tags tags) {
  const std::unique_lock lock(mutex_);
  tags_[slot_of(id)] = tags;
}

FlatIndex::Slot FlatIndex::slot_of(Id id) const {
  const auto found = slots_.find(id);
  if (found == slots_.end()) {
    throw Error(ErrorCode::kInput, quoted(id) + " is not in the index; insert adds it");
  }
  return found->second;
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
    tags_[slot] = tags_[last];
    slots_.find(ids_[slot])->second = slot;
  }
  slots_.erase(found);
  ids_.pop_back();
  tags_.pop_back();
  rows_.pop();
  return true;
}

bool FlatIndex::get(Id id, float* out) const {
  const std::shared_lock lock(mutex_);
  const auto found = slots_.find(id);
  if (found == slots_.end()) return false;
  rows_.read(found->second, out);
  return true;
}

std::optional<Tags> FlatIndex::tags(Id id) const {
  const std::shared_lock lock(mutex_);
  const auto found = slots_.find(id);
  return found == slots_.end() ? std::nullopt : std::optional(tags_[found->second]);
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

// The rows within a scope; none where it leaves nothing out.
std::optional<RowFilter> FlatIndex::resolve(const Scope& scope) const {
  if (!scope.ids && !scope.any_tags) return std::nullopt;
  RowFilter filter(ids_.size());
  const auto tagged = [&](Slot slot) { return !scope.any_tags || tags_[slot] & *scope.any_tags; };
  if (scope.ids) {
    for (const Id id : *scope.ids) {
      const auto found = slots_.find(id);
      if (found != slots_.end() && tagged(found->second)) filter.allow(found->second);
    }
  } else {
    const Tags wanted = *scope.any_tags;
    const Tags* tags = tags_.data();
    filter.fill(tags_.size(), [=](std::size_t slot) { return (tags[slot] & wanted) != 0; });
  }
  return filter;
}

Hit FlatIndex::hit(const Candidate& candidate) const noexcept {
  return {candidate.id, metric_ == Metric::kL2 ? std::sqrt(-candidate.score) : candidate.score};
}

std::vector<Hit> FlatIndex::search(const float* query, std::size_t k, const Scope& scope) const {
  return search_many(query, 1, k, scope).all;
}

Hits FlatIndex::search_many(const float* queries, std::size_t m, std::size_t k, const Scope& scope,
                            std::size_t threads) const {
  if (k < 1) throw Error(ErrorCode::kInput, "k must be at least 1");
  if (threads < 1 || threads > kMaxThreads) {
    throw Error(ErrorCode::kInput, "a search runs on 1 to " + std::to_string(kMaxThreads) +
                                       " threads, not " + std::to_string(threads));
  }
  const AlignedFloats prepared = prepare_queries(queries, m);

  const std::shared_lock lock(mutex_);
  const std::optional<RowFilter> filter = resolve(scope);
  const std::size_t allowed = filter ? filter->count() : ids_.size();
  Hits hits;
  hits.per_query = std::min(k, allowed);
  if (hits.per_query == 0) return hits;
  hits.all.resize(m * hits.per_query);
  const SearchTask task{rows_, ids_, hits.per_query, metric_ == Metric::kL2,
                        filter ? &*filter : nullptr};
  in_threads(m, threads, [&](std::size_t first, std::size_t n) {
    const auto found = exact_search(task, prepared.data() + first * rows_.stride(), n);
    Hit* out = hits.all.data() + first * hits.per_query;
    for (const auto& candidates : found) {
      out = std::transform(candidates.begin(), candidates.end(), out,
                           [this](const Candidate& one) { return hit(one); });
    }
  });
  return hits;
}

void FlatIndex::scores(const float* query, std::span<const Id> ids, float* out) const {
  const AlignedFloats prepared = prepare_queries(query, 1);
  const std::shared_lock lock(mutex_);
  RowScorer scorer(rows_, prepared.data(), metric_ == Metric::kL2);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto found = slots_.find(ids[i]);
    if (found == slots_.end()) {
      out[i] = std::numeric_limits<float>::quiet_NaN();
      continue;
    }
    scorer.score(found->second, 1, out + i);
    out[i] = hit({out[i], 0}).score;
  }
}

}  // namespace astraweave::index
