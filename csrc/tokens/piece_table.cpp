#include "tokens/piece_table.hpp"

#include <functional>
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

std::size_t PieceTable::slot(std::string_view bytes) const noexcept {
  const std::size_t mask = long_.size() - 1;
  std::size_t at = std::hash<std::string_view>{}(bytes)&mask;
  while (long_[at].token != kNoToken &&
         std::string_view(bytes_).substr(long_[at].start, long_[at].size) != bytes) {
    at = (at + 1) & mask;
  }
  return at;
}

void PieceTable::add_long(std::string_view bytes, TokenId token) {
  if (2 * ++longs_ > long_.size()) {
    const std::vector<Long> old = std::exchange(long_, std::vector<Long>(2 * long_.size()));
    for (const Long& row : old) {
      if (row.token == kNoToken) continue;
      long_[slot(std::string_view(bytes_).substr(row.start, row.size))] = row;
    }
  }
  const auto start = static_cast<std::uint32_t>(bytes_.size());
  const std::size_t at = slot(bytes);
  bytes_ += bytes;
  long_[at] = {start, static_cast<std::uint32_t>(bytes.size()), token};
}

TokenId PieceTable::find_long(std::string_view piece) const noexcept {
  return long_[slot(piece)].token;
}

}  // namespace astraweave::tokens
