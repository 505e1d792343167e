#include "tokens/piece_cache.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

namespace astraweave::tokens {
namespace {

std::array<std::uint64_t, 4> key_of(std::string_view piece) noexcept {
  std::array<std::uint64_t, 4> key{};
  std::memcpy(key.data(), piece.data(), piece.size());
  reinterpret_cast<unsigned char*>(key.data())[31] = static_cast<unsigned char>(piece.size());
  return key;
}

}  // namespace

PieceCache& PieceCache::of_this_thread() {
  thread_local PieceCache cache;
  return cache;
}

std::uint32_t PieceCache::new_owner() noexcept {
  static std::atomic<std::uint32_t> last{0};
  return ++last;
}

PieceCache::Entry& PieceCache::at(std::string_view piece, std::uint32_t owner) noexcept {
  const auto key = key_of(piece);
  std::uint64_t hash = owner;
  for (const std::uint64_t word : key) hash = (std::rotl(hash, 23) ^ word) * 0x9E3779B97F4A7C15u;
  return entries_[hash >> (64 - kBits)];
}

bool PieceCache::holds(const Entry& entry, std::string_view piece, std::uint32_t owner) noexcept {
  return entry.owner == owner && entry.key == key_of(piece);
}

void PieceCache::keep(Entry& entry, std::string_view piece, std::uint32_t owner,
                      std::span<const TokenId> ids) noexcept {
  entry.key = key_of(piece);
  entry.owner = owner;
  entry.count = static_cast<std::uint32_t>(ids.size());
  if (ids.size() <= kIds) std::copy(ids.begin(), ids.end(), entry.ids.begin());
}

}  // namespace astraweave::tokens
