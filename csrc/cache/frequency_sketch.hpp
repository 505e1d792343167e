// How often each hash was seen of late, in nine bytes an entry: TinyLFU (Einziger, Friedman and
// Manes, 2017). A first sight only sets a bit of the doorkeeper; later ones raise four 4-bit
// counters, of which the lowest counts. After ten sights an entry everything is halved, so that
// what was popular once does not stay for ever.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace astraweave::cache {

class FrequencySketch {
 public:
  // Good for about this many entries; rounded up to a power of two.
  explicit FrequencySketch(std::size_t entries);

  void record(std::uint64_t hash) noexcept;
  // 0 to 16.
  unsigned count(std::uint64_t hash) const noexcept;
  std::size_t entries() const noexcept { return counters_.size(); }

 private:
  struct Place {
    std::size_t block;
    unsigned shift;
  };
  Place place(std::uint64_t hash, int row) const noexcept;
  unsigned counted(Place at) const noexcept {
    return static_cast<unsigned>(counters_[at.block] >> at.shift) & 15;
  }
  std::size_t door(std::uint64_t hash) const noexcept;
  bool seen(std::uint64_t hash) const noexcept;
  void age() noexcept;

  std::vector<std::uint64_t> counters_;  // 16 counters a block
  std::vector<std::uint64_t> doorkeeper_;
  std::size_t sights_ = 0;
};

}  // namespace astraweave::cache
