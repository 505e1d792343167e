// Which slot an id has: a hash table of slots, whose ids are read where they stand. It is cut into
// 256 shards that grow one at a time, so that no insertion ever waits for all of it to be rebuilt:
// at a million ids a shard has some 4,000.
//
// `id_of(slot)` gives the id of a slot in the table. Slots out of range, as only a damaged file can
// bring them, must be answered too (with any id).
//
// Threads: find() beside find(); everything else alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "index/segments.hpp"

namespace astraweave::index {

// Steele, Lea & Flood 2014 (SplitMix64): every bit of the result hangs on every bit of the value.
inline std::uint64_t mixed(std::uint64_t value) noexcept {
  value += 0x9e3779b97f4a7c15u;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

class IdTable {
 public:
  static constexpr std::size_t kShards = 256;

  template <class IdOf>
  Slot find(std::int64_t id, const IdOf& id_of) const noexcept {
    const std::uint64_t hash = mixed(static_cast<std::uint64_t>(id));
    const Shard& shard = shards_[hash >> 56];
    for (std::size_t probes = 0, at = hash; probes < shard.capacity; ++probes, ++at) {
      const Slot slot = shard.slots[at & (shard.capacity - 1)];
      if (slot == kNoSlot) break;
      if (id_of(slot) == id) return slot;
    }
    return kNoSlot;
  }

  // Room for one more in the shard of this id; insert() cannot fail then.
  template <class IdOf>
  void reserve(std::int64_t id, const IdOf& id_of) {
    const std::uint64_t hash = mixed(static_cast<std::uint64_t>(id));
    Shard& shard = shards_[hash >> 56];
    if ((shard.used + 1) * 4 > shard.capacity * 3) grow(shard, id_of);
  }

  // The id is not there, and reserve() was called for it.
  void insert(std::int64_t id, Slot slot) noexcept {
    const std::uint64_t hash = mixed(static_cast<std::uint64_t>(id));
    put(shards_[hash >> 56], hash, slot);
  }

  // The id is there.
  void replace(std::int64_t id, Slot from, Slot to) noexcept {
    const std::uint64_t hash = mixed(static_cast<std::uint64_t>(id));
    Shard& shard = shards_[hash >> 56];
    const std::size_t at = position(shard, hash, from);
    if (at < shard.capacity) shard.slots[at] = to;
  }

  template <class IdOf>
  void erase(std::int64_t id, Slot slot, const IdOf& id_of) noexcept {
    const std::uint64_t hash = mixed(static_cast<std::uint64_t>(id));
    Shard& shard = shards_[hash >> 56];
    std::size_t hole = position(shard, hash, slot);
    if (hole >= shard.capacity) return;
    const std::size_t mask = shard.capacity - 1;
    // Whoever stands behind the hole and could stand in it moves up.
    for (std::size_t probes = 1, at = (hole + 1) & mask; probes < shard.capacity;
         ++probes, at = (at + 1) & mask) {
      const Slot other = shard.slots[at];
      if (other == kNoSlot) break;
      const std::size_t home = mixed(static_cast<std::uint64_t>(id_of(other))) & mask;
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        shard.slots[hole] = other;
        hole = at;
      }
    }
    shard.slots[hole] = kNoSlot;
    --shard.used;
  }

  // For files: the shards as they are.
  struct View {
    const Slot* slots;
    std::uint32_t capacity;
    std::uint32_t used;
  };
  View shard(std::size_t index) const noexcept {
    return {shards_[index].slots, shards_[index].capacity, shards_[index].used};
  }
  // `slots` outlive this; capacity is 0 or a power of two and used < capacity.
  void adopt(std::size_t index, Slot* slots, std::uint32_t capacity, std::uint32_t used) noexcept {
    shards_[index] = Shard{slots, capacity, used, nullptr};
  }

  std::size_t bytes() const noexcept {
    std::size_t sum = 0;
    for (const Shard& shard : shards_) sum += shard.own ? shard.capacity * sizeof(Slot) : 0;
    return sum;
  }

 private:
  struct Shard {
    Slot* slots = nullptr;
    std::uint32_t capacity = 0;  // 0 or a power of two
    std::uint32_t used = 0;
    std::unique_ptr<Slot[]> own;
  };

  static void put(Shard& shard, std::uint64_t hash, Slot slot) noexcept {
    const std::size_t mask = shard.capacity - 1;
    std::size_t at = hash & mask;
    // Only a damaged file's table can be full.
    for (std::size_t probes = 0; probes < mask && shard.slots[at] != kNoSlot; ++probes) {
      at = (at + 1) & mask;
    }
    shard.slots[at] = slot;
    ++shard.used;
  }

  static std::size_t position(const Shard& shard, std::uint64_t hash, Slot slot) noexcept {
    for (std::size_t probes = 0; probes < shard.capacity; ++probes, ++hash) {
      const std::size_t at = hash & (shard.capacity - 1);
      if (shard.slots[at] == slot) return at;
      if (shard.slots[at] == kNoSlot) break;
    }
    return shard.capacity;
  }

  template <class IdOf>
  static void grow(Shard& shard, const IdOf& id_of) {
    Shard bigger;
    bigger.capacity = shard.capacity == 0 ? 8 : 2 * shard.capacity;
    bigger.own = std::make_unique<Slot[]>(bigger.capacity);
    bigger.slots = bigger.own.get();
    for (Slot& slot : std::span(bigger.slots, bigger.capacity)) slot = kNoSlot;
    for (const Slot slot : std::span(shard.slots, shard.capacity)) {
      // More than `used` slots can only be a damaged file's; they must not fill the table.
      if (slot == kNoSlot || bigger.used >= shard.used) continue;
      put(bigger, mixed(static_cast<std::uint64_t>(id_of(slot))), slot);
    }
    bigger.used = shard.used;
    shard = std::move(bigger);
  }

  std::array<Shard, kShards> shards_;
};

}  // namespace astraweave::index
