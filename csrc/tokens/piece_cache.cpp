#include "tokens/piece_cache.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <mutex>
#include <utility>

namespace astraweave::tokens {
namespace {

std::array<std::uint64_t, 4> key_of(std::string_view piece) noexcept {
  std::array<std::uint64_t, 4> key{};
  std::memcpy(key.data(), piece.data(), piece.size());
  reinterpret_cast<unsigned char*>(key.data())[31] = static_cast<unsigned char>(piece.size());
  return key;
}

struct Slot {
  std::uint32_t owner = 0;
  std::unique_ptr<PieceCache> cache;
};

// What threads that have ended knew, for those that come: count_many starts some for each call.
class Spares {
 public:
  static Spares& instance() {
    static auto* const spares = new Spares;  // for ever: threads may end after main() did
    return *spares;
  }
  std::unique_ptr<PieceCache> take(std::uint32_t owner) {
    const std::lock_guard lock(mutex_);
    for (Slot& slot : kept_) {
      if (slot.owner != owner) continue;
      slot.owner = 0;
      return std::move(slot.cache);
    }
    return nullptr;
  }
  void give(Slot slot) noexcept {
    const std::lock_guard lock(mutex_);
    kept_[next_] = std::move(slot);
    next_ = (next_ + 1) % kept_.size();
  }

 private:
  std::mutex mutex_;
  std::array<Slot, 8> kept_;
  std::size_t next_ = 0;
};

struct Slots {
  std::array<Slot, 4> of;
  std::size_t recent = 0, oldest = 0;
  ~Slots() {
    for (Slot& slot : of) {
      if (slot.owner != 0) Spares::instance().give(std::move(slot));
    }
  }
};

}  // namespace

PieceCache& PieceCache::of_this_thread(std::uint32_t owner) {
  thread_local Slots slots;
  if (slots.of[slots.recent].owner == owner) return *slots.of[slots.recent].cache;
  const auto found = std::find_if(slots.of.begin(), slots.of.end(),
                                  [owner](const Slot& slot) { return slot.owner == owner; });
  if (found != slots.of.end()) {
    slots.recent = static_cast<std::size_t>(found - slots.of.begin());
  } else {
    slots.recent = slots.oldest;
    slots.oldest = (slots.oldest + 1) % slots.of.size();
    Slot& slot = slots.of[slots.recent];
    slot.owner = 0;
    slot.cache = Spares::instance().take(owner);
    if (slot.cache == nullptr) slot.cache = std::make_unique<PieceCache>();
    slot.owner = owner;
  }
  return *slots.of[slots.recent].cache;
}

std::uint32_t PieceCache::new_owner() noexcept {
  static std::atomic<std::uint32_t> last{0};
  return ++last;
}

PieceCache::Entry& PieceCache::at(std::string_view piece) noexcept {
  std::uint64_t hash = 0;
  for (const std::uint64_t word : key_of(piece)) {
    hash = (std::rotl(hash, 23) ^ word) * 0x9E3779B97F4A7C15u;
  }
  return entries_[hash >> (64 - kEntryBits)];
}

bool PieceCache::holds(const Entry& entry, std::string_view piece) noexcept {
  return entry.count != 0 && entry.key == key_of(piece);
}

void PieceCache::keep(Entry& entry, std::string_view piece, std::span<const TokenId> ids) noexcept {
  entry.key = key_of(piece);
  entry.count = static_cast<std::uint32_t>(ids.size());
  if (ids.size() <= kIds) std::copy(ids.begin(), ids.end(), entry.ids.begin());
}

}  // namespace astraweave::tokens
