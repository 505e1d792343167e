#include "cache/frequency_sketch.hpp"

#include <algorithm>
#include <bit>

namespace astraweave::cache {
namespace {

constexpr int kRows = 4;
constexpr unsigned kMost = 15;
constexpr std::size_t kSightsPerEntry = 10;
constexpr std::size_t kDoorBitsPerEntry = 8;
constexpr std::uint64_t kRowKeys[kRows] = {0xC3A5C85C97CB3127, 0xB492B66FBE98F273,
                                           0x9AE16A3B2F90404F, 0xCBF29CE484222325};

}  // namespace

FrequencySketch::FrequencySketch(std::size_t entries)
    : counters_(std::bit_ceil(std::max<std::size_t>(entries, 8))),
      doorkeeper_(counters_.size() * kDoorBitsPerEntry / 64) {}

FrequencySketch::Place FrequencySketch::place(std::uint64_t hash, int row) const noexcept {
  const std::uint64_t mixed = (hash + static_cast<std::uint64_t>(row)) * kRowKeys[row];
  // Row r owns four of a block's sixteen counters.
  const auto within = 4 * static_cast<unsigned>(row) + static_cast<unsigned>(mixed & 3);
  return {static_cast<std::size_t>(mixed >> 32) & (counters_.size() - 1), 4 * within};
}

std::size_t FrequencySketch::door(std::uint64_t hash) const noexcept {
  return static_cast<std::size_t>((hash * 0x9E3779B97F4A7C15) >> 20) &
         (counters_.size() * kDoorBitsPerEntry - 1);
}

bool FrequencySketch::seen(std::uint64_t hash) const noexcept {
  const std::size_t bit = door(hash);
  return ((doorkeeper_[bit / 64] >> (bit % 64)) & 1) != 0;
}

void FrequencySketch::record(std::uint64_t hash) noexcept {
  if (!seen(hash)) {
    const std::size_t bit = door(hash);
    doorkeeper_[bit / 64] |= std::uint64_t{1} << (bit % 64);
  } else {
    for (int row = 0; row < kRows; ++row) {
      const Place at = place(hash, row);
      if (counted(at) < kMost) counters_[at.block] += std::uint64_t{1} << at.shift;
    }
  }
  if (++sights_ >= kSightsPerEntry * counters_.size()) age();
}

unsigned FrequencySketch::count(std::uint64_t hash) const noexcept {
  unsigned least = kMost;
  for (int row = 0; row < kRows; ++row) least = std::min(least, counted(place(hash, row)));
  return least + (seen(hash) ? 1 : 0);
}

void FrequencySketch::age() noexcept {
  for (std::uint64_t& block : counters_) block = (block >> 1) & 0x7777777777777777;
  std::fill(doorkeeper_.begin(), doorkeeper_.end(), 0);
  sights_ /= 2;
}

}  // namespace astraweave::cache
