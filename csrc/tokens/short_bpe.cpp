#include "tokens/short_bpe.hpp"

#include <algorithm>

namespace astraweave::tokens {
namespace {

constexpr std::size_t kBlock = 16;
constexpr std::uint64_t kNever = ~std::uint64_t{0};

std::uint64_t least(const std::uint64_t* keys) noexcept {
  std::uint64_t four[4] = {keys[0], keys[1], keys[2], keys[3]};
  for (std::size_t i = 4; i < kBlock; i += 4) {
    for (std::size_t j = 0; j < 4; ++j) four[j] = std::min(four[j], keys[i + j]);
  }
  return std::min(std::min(four[0], four[1]), std::min(four[2], four[3]));
}

std::uint64_t key(std::uint32_t rank, std::size_t at) noexcept {
  return std::uint64_t{rank} << 32 | at;
}

}  // namespace

void ShortBpe::know_bytes(const std::array<TokenId, 256>& symbols) {
  byte_symbols_ = symbols;
  byte_pairs_.assign(std::size_t{1} << 16, {});
  for (std::size_t pair = 0; pair < byte_pairs_.size(); ++pair) {
    const MergeTable::Merge* merge = merges_->find(symbols[pair >> 8], symbols[pair & 0xFF]);
    if (merge != nullptr) byte_pairs_[pair] = {merge->rank, merge->result};
  }
}

std::size_t ShortBpe::merge(std::span<TokenId> symbols) const noexcept {
  if (symbols.size() < 2) return symbols.size();
  return merge_all(symbols.data(), symbols.size(), [&](std::size_t at) {
    const MergeTable::Merge* merge = merges_->find(symbols[at], symbols[at + 1]);
    return merge != nullptr ? Pair{merge->rank, merge->result} : Pair{};
  });
}

std::size_t ShortBpe::merge_bytes(std::string_view bytes, TokenId* out) const noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  for (std::size_t i = 0; i < bytes.size(); ++i) out[i] = byte_symbols_[byte(i)];
  if (bytes.size() < 2) return bytes.size();
  return merge_all(out, bytes.size(), [&](std::size_t at) {
    return byte_pairs_[std::size_t{byte(at)} << 8 | byte(at + 1)];
  });
}

// `look` gives the merge of the symbols at i and i + 1, as they are at first.
template <typename Look>
std::size_t ShortBpe::merge_all(TokenId* symbols, std::size_t n, Look&& look) const noexcept {
  // Left as they are but for what n needs: filling them would cost more than most pieces do.
  std::array<std::uint64_t, kMost> keys;
  std::array<std::uint64_t, kMost / kBlock> lowest;
  std::array<TokenId, kMost> results;
  std::array<std::uint16_t, kMost + 1> next, previous;
  const std::size_t blocks = (n + kBlock - 1) / kBlock;
  std::fill_n(keys.data() + n - 1, blocks * kBlock - (n - 1), kNever);
  for (std::size_t i = 0; i < n; ++i) {
    next[i] = static_cast<std::uint16_t>(i + 1);
    previous[i] = static_cast<std::uint16_t>(i - 1);
  }
  for (std::size_t i = 0; i + 1 < n; ++i) {
    const Pair pair = look(i);
    keys[i] = pair.rank != 0 ? key(pair.rank, i) : kNever;
    results[i] = pair.result;
  }
  const auto renew = [&](std::size_t block) { lowest[block] = least(&keys[block * kBlock]); };
  const auto look_again = [&](std::size_t at, std::size_t right) {
    const MergeTable::Merge* merge = merges_->find(symbols[at], symbols[right]);
    keys[at] = merge != nullptr ? key(merge->rank, at) : kNever;
    if (merge != nullptr) results[at] = merge->result;
  };
  for (std::size_t block = 0; block < blocks; ++block) renew(block);
  std::size_t count = n;
  while (true) {
    std::uint64_t best = lowest[0];
    for (std::size_t block = 1; block < blocks; ++block) best = std::min(best, lowest[block]);
    if (best == kNever) break;
    const std::size_t at = best & 0xFFFFFFFFu, right = next[at], after = next[right];
    symbols[at] = results[at];
    keys[right] = kNever;
    next[at] = static_cast<std::uint16_t>(after);
    previous[after] = static_cast<std::uint16_t>(at);
    --count;
    if (after < n) {
      look_again(at, after);
    } else {
      keys[at] = kNever;
    }
    const std::size_t first = at > 0 ? previous[at] : at;
    if (at > 0) look_again(first, at);
    renew(at / kBlock);
    if (right / kBlock != at / kBlock) renew(right / kBlock);
    if (first / kBlock != at / kBlock) renew(first / kBlock);
  }
  std::size_t written = 0;
  for (std::size_t at = 0; at < n; at = next[at]) symbols[written++] = symbols[at];
  return count;
}

}  // namespace astraweave::tokens
