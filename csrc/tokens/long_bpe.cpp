#include "tokens/long_bpe.hpp"

#include <bit>

namespace astraweave::tokens {

LongBpe::LongBpe(const MergeTable& merges, const std::vector<bool>& symbols)
    : merges_(merges), shapes_(symbols.size()) {
  const auto tokens = static_cast<TokenId>(symbols.size());
  std::vector<TokenId> scratch, made;
  std::size_t length = 0;
  for (TokenId token = 0; token < tokens; ++token) {
    if (symbols[static_cast<std::size_t>(token)]) made.push_back(token);
    if (merges_.made(token).rank == 0) continue;
    scratch.clear();
    append_symbols_of(token, scratch);
    length += scratch.size();
    shapes_[static_cast<std::size_t>(token)].length = static_cast<std::uint32_t>(scratch.size());
    made.push_back(token);
  }
  edges_.resize(std::bit_ceil(length + made.size() + 2));  // most share their beginnings
  std::uint32_t nodes = 1;
  for (const TokenId token : made) add(token, nodes, scratch);
  for (const TokenId token : made) {  // now that all ends are known
    scratch.clear();
    append_symbols_of(token, scratch);
    scratch.pop_back();
    shapes_[static_cast<std::size_t>(token)].shorter = longest(scratch);
  }
}

std::size_t LongBpe::slot(std::uint64_t key) const noexcept {
  const std::size_t mask = edges_.size() - 1;
  std::uint64_t hash = key * 0x9E3779B97F4A7C15u;
  hash ^= hash >> 32;
  std::size_t at = hash & mask;
  while (edges_[at].node != 0 && edges_[at].key != key) at = (at + 1) & mask;
  return at;
}

// A token's halves are shorter than it, so that this ends; the deep side is on the stack.
void LongBpe::append_symbols_of(TokenId token, std::vector<TokenId>& out) const {
  std::vector<TokenId> open{token};
  while (!open.empty()) {
    const TokenId part = open.back();
    open.pop_back();
    const MergeTable::Made& made = merges_.made(part);
    if (made.rank == 0) {
      out.push_back(part);
    } else {
      open.push_back(made.right);
      open.push_back(made.left);
    }
  }
}

void LongBpe::add(TokenId token, std::uint32_t& nodes, std::vector<TokenId>& scratch) {
  scratch.clear();
  append_symbols_of(token, scratch);
  std::uint32_t node = 0;
  Edge* edge = nullptr;
  for (const TokenId symbol : scratch) {
    const std::uint64_t key = std::uint64_t{node} << 32 | static_cast<std::uint32_t>(symbol);
    edge = &edges_[slot(key)];
    if (edge->node == 0) *edge = {key, nodes++, kNoToken};
    node = edge->node;
  }
  edge->token = token;
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
