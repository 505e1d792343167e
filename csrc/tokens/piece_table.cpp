#include "tokens/piece_table.hpp"

#include <bit>
#include <cstring>
#include <utility>

namespace astraweave::tokens {
namespace {

constexpr TokenId kTokens = 1 << (64 - PieceKey::kTokenBit);  // that an entry has bits for

}  // namespace

PieceTable::PieceTable(std::size_t expected)
    : short_(std::bit_ceil(2 * expected + 2)), mask_(short_.size() - 1), long_(16) {}

void PieceTable::add(std::string_view bytes, TokenId token) {
  if (bytes.empty()) return;
  if (bytes.size() > PieceKey::kLongest || token >= kTokens) return add_long(bytes, token);
  const PieceKey key = PieceKey::of(bytes.data(), bytes.size(), bytes.size());
  std::size_t at = key.hash() & mask_;
  while (short_[at].high != 0) at = (at + 1) & mask_;
  short_[at] = {key.low, key.high | static_cast<std::uint64_t>(token) << PieceKey::kTokenBit};
}

std::size_t PieceTable::slot(std::string_view bytes, std::uint64_t hash) const noexcept {
  const std::size_t mask = long_.size() - 1;
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const Long& row = long_[at];
    if (row.token == kNoToken) return at;
    if (row.hash == hash >> 32 && row.size == bytes.size() &&
        std::memcmp(bytes_.data() + row.start, bytes.data(), bytes.size()) == 0) {
      return at;
    }
  }
}

void PieceTable::add_long(std::string_view bytes, TokenId token) {
  const auto hash_of = [](std::string_view piece) { return long_hash(piece, piece.size()); };
  if (2 * ++longs_ > long_.size()) {
    const std::vector<Long> old = std::exchange(long_, std::vector<Long>(2 * long_.size()));
    for (const Long& row : old) {
      if (row.token == kNoToken) continue;
      const auto known = std::string_view(bytes_).substr(row.start, row.size);
      long_[slot(known, hash_of(known))] = row;
    }
  }
  const std::uint64_t hash = hash_of(bytes);
  const std::size_t at = slot(bytes, hash);
  const auto start = static_cast<std::uint32_t>(bytes_.size());
  bytes_ += bytes;
  long_[at] = {start, static_cast<std::uint32_t>(bytes.size()),
               static_cast<std::uint32_t>(hash >> 32), token};
}

TokenId PieceTable::find_long(std::string_view piece, std::uint64_t hash) const noexcept {
  return long_[slot(piece, hash)].token;
}

}  // namespace astraweave::tokens
