#include "tokens/piece_cache.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <utility>

namespace astraweave::tokens {
namespace {

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

void PieceCache::keep(Entry& entry, const LongKey& key, std::span<const TokenId> ids) noexcept {
  const bool replaces = entry.count != 0 && !(entry.key == key);
  entry.key = key;
  entry.count = static_cast<std::uint32_t>(ids.size());
  if (ids.size() <= kIds) std::copy(ids.begin(), ids.end(), entry.ids.begin());
  if (replaces) ++entries_lost_;
}

std::size_t PieceCache::count_clause(std::string_view piece, std::uint64_t hash) const noexcept {
  if (clauses_.empty()) return 0;
  const Clause& clause = clauses_[hash >> (64 - kClauseBits)];
  return std::string_view(clause.bytes.data(), clause.size) == piece ? clause.count : 0;
}

void PieceCache::keep_clause(std::string_view piece, std::uint64_t hash,
                             std::size_t count) noexcept {
  if (clauses_.empty()) {
    try {
      clauses_.resize(std::size_t{1} << kClauseBits);
    } catch (const std::bad_alloc&) {  // it goes without
      return;
    }
  }
  Clause& clause = clauses_[hash >> (64 - kClauseBits)];
  std::copy(piece.begin(), piece.end(), clause.bytes.begin());
  clause.size = static_cast<std::uint32_t>(piece.size());
  clause.count = static_cast<std::uint32_t>(count);
}

void PieceCache::grow_counts() noexcept {
  counts_lost_ = 0;
  if (64 - counts_shift_ >= kCountBits) return;
  try {
    std::vector<PieceKey> larger(4 * counts_.size());
    const int shift = counts_shift_ - 2;
    for (const PieceKey& kept : counts_) {
      const PieceKey key{kept.low, kept.high & PieceKey::kBits};
      if (kept.high != 0) larger[key.hash() >> shift] = kept;
    }
    counts_ = std::move(larger);
    counts_shift_ = shift;
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): it stays as it is
  }
}

void PieceCache::grow_entries() noexcept {
  entries_lost_ = 0;
  if (64 - entries_shift_ >= kEntryBits) return;
  try {
    std::vector<Entry> larger(4 * entries_.size());
    const int shift = entries_shift_ - 2;
    for (const Entry& kept : entries_) {
      if (kept.count != 0) larger[kept.key.hash() >> shift] = kept;
    }
    entries_ = std::move(larger);
    entries_shift_ = shift;
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): it stays as it is
  }
}

}  // namespace astraweave::tokens
