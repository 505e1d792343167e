#include "index/hnsw_index.hpp"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <shared_mutex>

#include "error.hpp"
#include "simd/half/half.hpp"

namespace astraweave::index {
namespace {

// Two vectors below this squared length have a product and a squared distance that float32 holds.
constexpr double kMaxSquaredLength = FLT_MAX / 8.0;

double squared_length(const float* vector, std::size_t n) noexcept {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(vector[i]) * vector[i];
  return sum;
}

std::string quoted(Id id) { return "id " + std::to_string(id); }

void check_range(const char* name, std::size_t value, std::size_t least, std::size_t most) {
  if (value < least || value > most) {
    throw Error(ErrorCode::kInput, std::string(name) + " must be " + std::to_string(least) +
                                       " to " + std::to_string(most) + ", not " +
                                       std::to_string(value));
  }
}

const HnswOptions& checked(const HnswOptions& options) {
  check_range("dimensions", options.dims, 1, HnswIndex::kMaxDims);
  check_range("m", options.m, 4, HnswIndex::kMaxM);
  check_range("ef_construction", options.ef_construction, 1, HnswIndex::kMaxEf);
  check_range("ef_search", options.ef_search, 1, HnswIndex::kMaxEf);
  return options;
}

}  // namespace

HnswIndex::HnswIndex(const HnswOptions& options)
    : options_(checked(options)),
      nodes_(options.dims, options.metric, options.storage, options.m) {}

HnswIndex::~HnswIndex() = default;

std::size_t HnswIndex::size() const {
  const std::shared_lock lock(mutex_);
  return live_;
}

bool HnswIndex::contains(Id id) const {
  const std::shared_lock lock(mutex_);
  return find(id) != kNoSlot;
}

std::size_t HnswIndex::bytes() const {
  const std::shared_lock lock(mutex_);
  return sizeof(*this) + nodes_.bytes() + table_.bytes();
}

Slot HnswIndex::find(Id id) const noexcept {
  const Slot slot = table_.find(id, [this](Slot at) { return id_of(at); });
  return slot < nodes_.count() && nodes_.live(slot) ? slot : kNoSlot;
}

Slot HnswIndex::slot_of(Id id) const {
  const Slot slot = find(id);
  if (slot == kNoSlot) {
    throw Error(ErrorCode::kInput, quoted(id) + " is not in the index; insert adds it");
  }
  return slot;
}

// Geometric, by the paper's rule, but drawn from the id: whatever the order, an id has its layer.
std::uint8_t HnswIndex::level_of(Id id) const noexcept {
  const std::uint64_t bits = mixed(mixed(options_.seed) ^ static_cast<std::uint64_t>(id));
  const double uniform = (static_cast<double>(bits >> 11) + 1) * 0x1p-53;
  const double level = -std::log(uniform) / std::log(static_cast<double>(options_.m));
  return static_cast<std::uint8_t>(std::min(level, double{Nodes::kMaxLevel}));
}

void HnswIndex::check(const float* vector, const char* what) const {
  const std::size_t n = dims();
  for (std::size_t i = 0; i < n; ++i) {
    if (!std::isfinite(vector[i])) {
      throw Error(ErrorCode::kInput, std::string(what) + " has " +
                                         (std::isnan(vector[i]) ? "NaN" : "infinity") +
                                         " at position " + std::to_string(i));
    }
  }
  const double squared = squared_length(vector, n);
  if (metric() == Metric::kCosine) {
    if (squared == 0) {
      throw Error(ErrorCode::kInput,
                  std::string(what) + " is all zeros, which has no direction for cosine");
    }
  } else if (squared > kMaxSquaredLength) {
    throw Error(ErrorCode::kInput,
                std::string(what) + " is too long: its products overflow float32");
  }
}

void HnswIndex::check_new(std::span<const Id> ids, const float* vectors) const {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const float* vector = vectors + i * dims();
    const std::string what = "the vector of " + quoted(ids[i]);
    check(vector, what.c_str());
    if (options_.storage == Storage::kFloat16 && metric() != Metric::kCosine) {
      for (std::size_t d = 0; d < dims(); ++d) {
        if (std::fabs(vector[d]) > simd::kMaxHalf) {
          throw Error(ErrorCode::kInput, what + " has a number too large for float16 at position " +
                                             std::to_string(d));
        }
      }
    }
  }
}

void HnswIndex::prepare(const float* vector, float* out) const noexcept {
  if (metric() != Metric::kCosine) {
    std::copy_n(vector, dims(), out);
    return;
  }
  const double scale = 1.0 / std::sqrt(squared_length(vector, dims()));
  for (std::size_t i = 0; i < dims(); ++i) out[i] = static_cast<float>(vector[i] * scale);
}

void HnswIndex::count_tags(Tags tags, int change) noexcept {
  for (std::size_t bit = 0; tags != 0; ++bit, tags >>= 1) {
    if ((tags & 1) != 0) tag_rows_[bit] += static_cast<std::uint64_t>(std::int64_t{change});
  }
}

void HnswIndex::set_tags(Id id, Tags tags) {
  const std::lock_guard<std::mutex> writing(writer_);
  const std::unique_lock lock(mutex_);
  const Slot slot = slot_of(id);
  count_tags(nodes_.tags(slot), -1);
  count_tags(tags, 1);
  nodes_.set_tags(slot, tags);
}

bool HnswIndex::get(Id id, float* out) const {
  const std::shared_lock lock(mutex_);
  const Slot slot = find(id);
  if (slot == kNoSlot) return false;
  nodes_.read_vector(slot, out);
  return true;
}

std::optional<Tags> HnswIndex::tags(Id id) const {
  const std::shared_lock lock(mutex_);
  const Slot slot = find(id);
  if (slot == kNoSlot) return std::nullopt;
  return nodes_.tags(slot);
}

std::vector<Id> HnswIndex::ids() const {
  std::vector<Id> result;
  {
    const std::shared_lock lock(mutex_);
    for (Slot slot = 0; slot < nodes_.count(); ++slot) {
      if (nodes_.live(slot)) result.push_back(nodes_.head(slot).id);
    }
  }
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace astraweave::index
