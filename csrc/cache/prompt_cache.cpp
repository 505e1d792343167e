#include "cache/prompt_cache.hpp"

#include <algorithm>
#include <bit>
#include <random>

#include "error.hpp"

namespace astraweave::cache {
namespace {

constexpr std::size_t kAutoShards = 16;
constexpr std::size_t kAutoShardBytes = std::size_t{2} << 20;

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

std::size_t shard_count(const Options& options) {
  if (options.shards == 0) {
    return std::bit_floor(
        std::clamp<std::size_t>(options.max_bytes / kAutoShardBytes, 1, kAutoShards));
  }
  if (!std::has_single_bit(options.shards) || options.shards > PromptCache::kMaxShards) {
    throw Error(ErrorCode::kConfig,
                "shards must be a power of two up to 64, not " + std::to_string(options.shards));
  }
  return options.shards;
}

bool take(SpinLock& lock, Wait wait) noexcept {
  if (wait == Wait::kSpin) return lock.spin();
  lock.lock();
  return true;
}

}  // namespace

PromptCache::PromptCache(const Options& options)
    : max_bytes_(options.max_bytes), hash_(options.seed ? *options.seed : random_seed()) {
  const std::size_t count = shard_count(options);
  shard_bytes_ = max_bytes_ / count;
  if (shard_bytes_ <= kEntryOverhead) {
    throw Error(ErrorCode::kConfig, "a cache of " + std::to_string(max_bytes_) +
                                        " bytes holds nothing: an entry alone takes " +
                                        std::to_string(kEntryOverhead) +
                                        " beside its text; give max_bytes more");
  }
  for (std::size_t i = 0; i < count; ++i) {
    shards_.push_back(std::make_unique<Shard>(shard_bytes_, options.admission));
  }
}

Found PromptCache::get(std::string_view key, double now, Wait wait) const noexcept {
  const std::uint64_t hash = hash_(key);
  Shard& shard = shard_of(hash);
  Found found;
  found.busy_ = !take(shard.lock(), wait);
  if (found.busy_) return found;
  found.lock_ = std::unique_lock(shard.lock(), std::adopt_lock);
  found.entry_ = shard.get(hash, key, now, found.dead_);
  return found;
}

Put PromptCache::put(const NewEntry& from, Wait wait) {
  const std::uint64_t hash = hash_(from.key);
  Shard& shard = shard_of(hash);
  Dead dead;
  // Sizes first: their sum must not wrap, and an entry counts them in 32 bits.
  const bool fits = from.key.size() < shard_bytes_ && from.value.size() < shard_bytes_ &&
                    std::max(from.key.size(), from.value.size()) <= UINT32_MAX &&
                    cost(from.key.size(), from.value.size()) <= shard_bytes_;
  if (!fits) {
    if (!take(shard.lock(), wait)) return Put::kBusy;
    const std::lock_guard guard(shard.lock(), std::adopt_lock);
    shard.reject(hash, from.key, dead);
    return Put::kRejected;
  }
  Entry* entry = make_entry(from, hash);
  if (!take(shard.lock(), wait)) {
    dead.push(entry);
    return Put::kBusy;
  }
  const std::lock_guard guard(shard.lock(), std::adopt_lock);
  return shard.put(entry, from.tag, dead) ? Put::kKept : Put::kRejected;
}

bool PromptCache::remove(std::string_view key) {
  const std::uint64_t hash = hash_(key);
  Shard& shard = shard_of(hash);
  Dead dead;
  const std::lock_guard guard(shard.lock());
  return shard.remove(hash, key, dead);
}

std::size_t PromptCache::invalidate(std::string_view tag) {
  std::size_t dropped = 0;
  for (const auto& shard : shards_) {
    Dead dead;
    const std::lock_guard guard(shard->lock());
    dropped += shard->invalidate(tag, dead);
  }
  return dropped;
}

std::size_t PromptCache::purge(double now) {
  std::size_t dropped = 0;
  for (const auto& shard : shards_) {
    Dead dead;
    const std::lock_guard guard(shard->lock());
    dropped += shard->purge(now, dead);
  }
  return dropped;
}

void PromptCache::clear() {
  for (const auto& shard : shards_) {
    Dead dead;
    const std::lock_guard guard(shard->lock());
    shard->clear(dead);
  }
}

Stats PromptCache::stats() const {
  Stats sum;
  for (const auto& shard : shards_) {
    const std::lock_guard guard(shard->lock());
    const Stats part = shard->stats();
    sum.hits += part.hits;
    sum.misses += part.misses;
    sum.evictions += part.evictions;
    sum.expired += part.expired;
    sum.rejected += part.rejected;
    sum.invalidated += part.invalidated;
    sum.entries += part.entries;
    sum.bytes += part.bytes;
  }
  return sum;
}

}  // namespace astraweave::cache
