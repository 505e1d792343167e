#include "tokens/long_bpe.hpp"

#include <bit>

namespace astraweave::tokens {

LongBpe::LongBpe(const MergeTable& merges, const std::vector<bool>& symbols)
    : merges_(merges), shapes_(symbols.size()) {
  std::vector<std::vector<TokenId>> by_length;
  std::size_t total = 0;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const auto token = static_cast<TokenId>(i);
    if (!symbols[i] && merges_.made(token).rank == 0) continue;
    const std::uint32_t length = length_of(token);
    if (by_length.size() <= length) by_length.resize(length + 1);
    by_length[length].push_back(token);
    total += length;
  }
  edges_.resize(std::bit_ceil(total + 2));  // most share their beginnings
  std::uint32_t nodes = 1;
  for (const auto& tokens : by_length) {  // what a token starts with is there before it
    for (const TokenId token : tokens) add(token, nodes);
  }
}

// In symbols.
std::uint32_t LongBpe::length_of(TokenId token) {
  const auto length = [&](TokenId part) -> std::uint32_t& {
    return shapes_[static_cast<std::size_t>(part)].length;
  };
  std::vector<TokenId> open{token};  // a hostile vocabulary nests deeper than a thread's stack
  while (!open.empty()) {
    const MergeTable::Made& made = merges_.made(open.back());
    std::uint32_t& wanted = length(open.back());
    if (wanted == 0 && made.rank == 0) wanted = 1;
    if (wanted == 0 && length(made.left) != 0 && length(made.right) != 0) {
      wanted = length(made.left) + length(made.right);
    }
    if (wanted != 0) {
      open.pop_back();
    } else {
      open.push_back(length(made.left) == 0 ? made.left : made.right);
    }
  }
  return length(token);
}

std::size_t LongBpe::slot(std::uint64_t key) const noexcept {
  const std::size_t mask = edges_.size() - 1;
  std::uint64_t hash = key * 0x9E3779B97F4A7C15u;
  hash ^= hash >> 32;
  std::size_t at = hash & mask;
  while (edges_[at].node != 0 && edges_[at].key != key) at = (at + 1) & mask;
  return at;
}

void LongBpe::add(TokenId token, std::uint32_t& nodes) {
  std::vector<TokenId> open{token};  // the parts whose symbols are still to come, the next one last
  TokenId shorter = kNoToken;
  std::uint32_t node = 0;
  Edge* edge = nullptr;
  while (!open.empty()) {
    const TokenId part = open.back();
    open.pop_back();
    if (const MergeTable::Made& made = merges_.made(part); made.rank != 0) {
      open.push_back(made.right);
      open.push_back(made.left);
      continue;
    }
    if (edge != nullptr && edge->token != kNoToken) shorter = edge->token;
    const std::uint64_t key = std::uint64_t{node} << 32 | static_cast<std::uint32_t>(part);
    edge = &edges_[slot(key)];
    if (edge->node == 0) *edge = {key, nodes++, kNoToken};
    node = edge->node;
  }
  edge->token = token;
  shapes_[static_cast<std::size_t>(token)].shorter = shorter;
}

TokenId LongBpe::longest(std::span<const TokenId> symbols) const noexcept {
  TokenId found = kNoToken;
  std::uint32_t node = 0;
  for (const TokenId symbol : symbols) {
    const std::uint64_t key = std::uint64_t{node} << 32 | static_cast<std::uint32_t>(symbol);
    const Edge& edge = edges_[slot(key)];
    if (edge.node == 0) break;
    if (edge.token != kNoToken) found = edge.token;
    node = edge.node;
  }
  return found;
}

void LongBpe::merge(std::vector<TokenId>& symbols) const {
  const std::span<const TokenId> text = symbols;
  std::vector<TokenId> tokens;
  std::vector<bool> dead(text.size() + 1);
  const auto shape = [&](TokenId token) { return shapes_[static_cast<std::size_t>(token)]; };
  std::size_t at = 0;
  TokenId next = longest(text);
  while (at < text.size()) {
    while (next != kNoToken) {
      const std::size_t stop = at + shape(next).length;
      if (!dead[stop] && (tokens.empty() || merges_.may_touch(tokens.back(), next))) break;
      next = shape(next).shorter;
    }
    if (next != kNoToken) {
      tokens.push_back(next);
      at += shape(next).length;
      next = longest(text.subspan(at));
    } else {
      dead[at] = true;
      next = tokens.back();  // every text has an encoding: there is one to go back to
      tokens.pop_back();
      at -= shape(next).length;
    }
  }
  symbols = std::move(tokens);
}

}  // namespace astraweave::tokens
