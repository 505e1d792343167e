#include "index/hnsw_nodes.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "error.hpp"
#include "simd/half/half.hpp"

namespace astraweave::index {
namespace {

std::size_t rounded_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

std::size_t bytes_of_row(Storage storage, std::size_t dims) {
  switch (storage) {
    case Storage::kFloat32:
      return rounded_up(dims * 4, 64);
    case Storage::kFloat16:
      return rounded_up(dims * 2, 64);
    case Storage::kInt8:
      break;
  }
  return 0;
}

}  // namespace

Kernels::Kernels()
    : tier(simd::active_tier()),
      walk(simd::walk_codes_kernel(tier)),
      centre(simd::centre_codes_kernel(tier)) {}

Nodes::Nodes(std::size_t dims, Metric metric, Storage storage, std::size_t m)
    : dims_(dims),
      metric_(metric),
      storage_(storage),
      m_(m),
      codes_(rounded_up(dims, simd::kWalkBlock)),
      factors_(sizeof(Factors)),
      links_(2 * m * sizeof(Slot)),
      heads_(sizeof(Head)),
      tags_(sizeof(std::uint64_t)),
      upper_(m * sizeof(Slot)),
      rows_(bytes_of_row(storage, dims)) {
  std::fill(std::begin(free_upper_), std::end(free_upper_), kNoSlot);
}

void Nodes::set_links(Slot slot, std::size_t level, std::span<const Slot> links) noexcept {
  const std::span<const Slot> place = this->links(slot, level);
  Slot* to = const_cast<Slot*>(place.data());
  const std::size_t n = std::min(links.size(), place.size());
  std::copy_n(links.begin(), n, to);
  std::fill(to + n, to + place.size(), kNoSlot);
}

Nodes::Place Nodes::take(std::uint8_t level) {
  Place place{kNoSlot, kNoSlot, level};
  if (level > 0) {
    Slot& free = free_upper_[level];
    if (free < upper_count_) {
      place.upper = free;
      std::memcpy(&free, upper_.at(free), sizeof free);
    } else {
      upper_.reserve(upper_count_ + level);
      place.upper = static_cast<Slot>(upper_count_);
      for (std::size_t i = 0; i < level; ++i) {
        std::memset(upper_.at(static_cast<Slot>(upper_count_ + i)), 0xff, upper_.record());
      }
      upper_count_ += level;
    }
  }
  if (free_ < count_ && head(free_).state == State::kFree) {
    place.slot = free_;
    free_ = head(free_).upper;
    return place;
  }
  if (count_ >= kMaxSlots) {
    throw Error(ErrorCode::kCapacity, "a graph index holds at most 2147483648 vectors");
  }
  const auto fresh = static_cast<Slot>(count_);
  for (Segments* column : {&codes_, &factors_, &links_, &heads_, &tags_, &rows_}) {
    if (column->record() == 0) continue;
    column->reserve(count_ + 1);
    std::memset(column->at(fresh), column == &links_ ? 0xff : 0, column->record());
  }
  place.slot = static_cast<Slot>(count_++);
  head(place.slot) = Head{0, kNoSlot, 0, State::kFree, 0};
  set_tags(place.slot, 0);
  return place;
}

void Nodes::put_head(const Place& place, Id id, std::uint64_t tags) noexcept {
  head(place.slot) = Head{id, place.upper, place.level, State::kLive, 0};
  set_tags(place.slot, tags);
}

void Nodes::give_back(const Place& place) noexcept {
  std::memset(codes_.at(place.slot), 0, codes_.record());
  std::memset(factors_.at(place.slot), 0, factors_.record());
  std::memset(links_.at(place.slot), 0xff, links_.record());
  head(place.slot) = Head{0, free_, 0, State::kFree, 0};
  set_tags(place.slot, 0);
  free_ = place.slot;
  if (place.level > 0 && place.level <= kMaxLevel && place.upper < upper_count_) {
    Slot& free = free_upper_[place.level];
    std::memcpy(upper_.at(place.upper), &free, sizeof free);
    free = place.upper;
  }
}

Factors Nodes::encode(const float* vector, std::int8_t* numbers) const noexcept {
  float largest = 0;
  for (std::size_t d = 0; d < dims_; ++d) largest = std::max(largest, std::fabs(vector[d]));
  const float scale = largest / 127;
  const float inverse = scale > 0 ? 127 / largest : 0;
  std::int64_t squared = 0;
  for (std::size_t d = 0; d < dims_; ++d) {
    // A number that is infinitely larger than the smallest floats makes no infinity here.
    const float value = std::clamp(vector[d] * inverse, -127.0F, 127.0F);
    const auto number = static_cast<std::int32_t>(value + (value < 0 ? -0.5F : 0.5F));
    numbers[d] = static_cast<std::int8_t>(number);
    squared += std::int64_t{number} * number;
  }
  std::fill(numbers + dims_, numbers + stride(), std::int8_t{0});
  const float bias = metric_ == Metric::kL2 ? static_cast<float>(squared) * scale * scale / -2 : 0;
  return {scale, bias};
}

void Nodes::write_vector(Slot slot, const float* vector) noexcept {
  auto* codes = reinterpret_cast<std::uint8_t*>(codes_.at(slot));
  auto* numbers = reinterpret_cast<std::int8_t*>(codes);
  *reinterpret_cast<Factors*>(factors_.at(slot)) = encode(vector, numbers);
  for (std::size_t d = 0; d < stride(); ++d) {
    codes[d] = static_cast<std::uint8_t>(codes[d] ^ 0x80);
  }
  if (storage_ == Storage::kFloat32) {
    std::memset(rows_.at(slot), 0, rows_.record());
    std::memcpy(rows_.at(slot), vector, dims_ * sizeof(float));
  } else if (storage_ == Storage::kFloat16) {
    auto* row = reinterpret_cast<std::uint16_t*>(rows_.at(slot));
    std::memset(row, 0, rows_.record());
    for (std::size_t d = 0; d < dims_; ++d) row[d] = simd::to_half(vector[d]);
  }
}

void Nodes::wipe(Slot slot) noexcept {
  if (storage_ != Storage::kInt8) std::memset(rows_.at(slot), 0, rows_.record());
  set_tags(slot, 0);
}

void Nodes::read_vector(Slot slot, float* out) const noexcept {
  if (storage_ == Storage::kFloat32) {
    std::memcpy(out, row(slot), dims_ * sizeof(float));
    return;
  }
  if (storage_ == Storage::kFloat16) {
    const auto* halves = reinterpret_cast<const std::uint16_t*>(row(slot));
    for (std::size_t d = 0; d < dims_; ++d) out[d] = simd::from_half(halves[d]);
    return;
  }
  const float scale = factors(slot).scale;
  for (std::size_t d = 0; d < dims_; ++d) out[d] = scale * static_cast<float>(codes(slot)[d] - 128);
}

Probe Nodes::probe(const float* vector, std::int8_t* numbers) const noexcept {
  const Factors factors = encode(vector, numbers);
  std::int32_t sum = 0;
  for (std::size_t d = 0; d < dims_; ++d) sum += numbers[d];
  return {numbers, sum, factors};
}

Probe Nodes::probe(Slot slot, std::int8_t* numbers, const Kernels& kernels) const noexcept {
  const std::int32_t sum = kernels.centre(codes(slot), stride(), numbers);
  return {numbers, sum, factors(slot)};
}

std::size_t Nodes::bytes() const noexcept {
  return codes_.bytes() + factors_.bytes() + links_.bytes() + heads_.bytes() + tags_.bytes() +
         upper_.bytes() + rows_.bytes();
}

}  // namespace astraweave::index
