#include "tokens/bpe.hpp"

#include <bit>
#include <cstdio>
#include <queue>

#include "error.hpp"
#include "tokens/byte_alphabet.hpp"
#include "tokens/unicode.hpp"

namespace astraweave::tokens {
namespace {

// Below this many symbols, looking at every pair again is faster than keeping a heap.
constexpr std::size_t kShort = 32;

}  // namespace

Bpe::Bpe(std::shared_ptr<const Vocabulary> vocabulary,
         const std::vector<std::pair<std::string, std::string>>& merges,
         std::unordered_set<TokenId> protected_ids, BpeOptions options)
    : vocabulary_(std::move(vocabulary)),
      protected_ids_(std::move(protected_ids)),
      options_(options),
      merges_(std::bit_ceil(2 * merges.size() + 2)) {
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    add_merge(merges[rank], static_cast<std::uint32_t>(rank));
  }
  for (std::size_t byte = 0; byte < 256; ++byte) {
    std::array<char, 8> name{};
    std::snprintf(name.data(), name.size(), "<0x%02X>", static_cast<unsigned>(byte));
    fallback_[byte] = vocabulary_->id(name.data());
    byte_symbols_[byte] = vocabulary_->id(byte_characters()[byte]);
  }
}

void Bpe::add_merge(const std::pair<std::string, std::string>& merge, std::uint32_t rank) {
  const TokenId left = vocabulary_->id(merge.first);
  const TokenId right = vocabulary_->id(merge.second);
  const TokenId result = vocabulary_->id(merge.first + merge.second);
  if (left == kNoToken || right == kNoToken || result == kNoToken) {
    throw Error(ErrorCode::kCorruptData, "merge " + std::to_string(rank) + " ('" + merge.first +
                                             "' + '" + merge.second +
                                             "') names a token that the vocabulary lacks");
  }
  if (protected_ids_.contains(result)) return;
  const auto order = options_.rank_by_result ? static_cast<std::uint32_t>(result) : rank;
  merges_[slot(key(left, right))] = {key(left, right), order, result};
}

std::size_t Bpe::slot(std::uint64_t pair) const noexcept {
  const std::size_t mask = merges_.size() - 1;
  std::uint64_t hash = pair * 0x9E3779B97F4A7C15u;
  hash ^= hash >> 32;
  std::size_t at = hash & mask;
  while (merges_[at].result != kNoToken && merges_[at].pair != pair) at = (at + 1) & mask;
  return at;
}

const Bpe::Merge* Bpe::find(TokenId left, TokenId right) const noexcept {
  const Merge& merge = merges_[slot(key(left, right))];
  return merge.result == kNoToken ? nullptr : &merge;
}

void Bpe::encode(std::string_view piece, std::vector<TokenId>& out) const {
  if (piece.empty()) return;
  if (options_.whole_words) {
    const TokenId whole =
        vocabulary_->id(options_.byte_level ? bytes_to_alphabet(piece) : std::string(piece));
    if (whole != kNoToken && !protected_ids_.contains(whole)) return out.push_back(whole);
  }
  thread_local std::vector<TokenId> symbols;
  symbols.clear();
  append_symbols(piece, symbols);
  if (symbols.size() <= kShort) {
    merge_short(symbols);
  } else {
    merge_long(symbols);
  }
  out.insert(out.end(), symbols.begin(), symbols.end());
  if (symbols.capacity() > (1u << 16)) symbols = {};  // a megabyte's scratch is not kept for ever
}

void Bpe::append_symbols(std::string_view piece, std::vector<TokenId>& symbols) const {
  bool pending_unknown = false;  // written once the next known symbol, or the end, is reached
  for (std::size_t at = 0; at < piece.size();) {
    const auto byte = static_cast<unsigned char>(piece[at]);
    TokenId symbol;
    std::string_view text;
    if (options_.byte_level) {
      text = byte_characters()[byte];
      symbol = byte_symbols_[byte];
      at += 1;
    } else {
      text = piece.substr(at, static_cast<std::size_t>(utf8_length(byte)));
      symbol = vocabulary_->id(text);
      at += text.size();
    }
    if (symbol != kNoToken) {
      if (pending_unknown) symbols.push_back(options_.unknown);
      pending_unknown = false;
      symbols.push_back(symbol);
    } else if (options_.byte_fallback && append_fallback(text, symbols)) {
      continue;
    } else if (options_.unknown != kNoToken) {
      if (pending_unknown && !options_.fuse_unknown) symbols.push_back(options_.unknown);
      pending_unknown = true;
    }
  }
  if (pending_unknown) symbols.push_back(options_.unknown);
}

bool Bpe::append_fallback(std::string_view symbol, std::vector<TokenId>& symbols) const {
  const auto token = [&](char c) { return fallback_[static_cast<unsigned char>(c)]; };
  for (const char c : symbol) {
    if (token(c) == kNoToken) return false;
  }
  for (const char c : symbol) symbols.push_back(token(c));
  return true;
}

void Bpe::merge_short(std::vector<TokenId>& symbols) const {
  if (symbols.size() < 2) return;
  std::array<const Merge*, kShort> pairs{};
  std::size_t count = symbols.size();
  for (std::size_t i = 0; i + 1 < count; ++i) pairs[i] = find(symbols[i], symbols[i + 1]);
  while (true) {
    std::size_t best = count;
    for (std::size_t i = 0; i + 1 < count; ++i) {
      if (pairs[i] && (best == count || pairs[i]->rank < pairs[best]->rank)) best = i;
    }
    if (best == count) break;
    symbols[best] = pairs[best]->result;
    for (std::size_t i = best + 1; i + 1 < count; ++i) {
      symbols[i] = symbols[i + 1];
      pairs[i] = pairs[i + 1];
    }
    --count;
    if (best > 0) pairs[best - 1] = find(symbols[best - 1], symbols[best]);
    pairs[best] = best + 1 < count ? find(symbols[best], symbols[best + 1]) : nullptr;
  }
  symbols.resize(count);
}

// The same with a heap of candidate merges over a linked list: O(n log n) for any text.
void Bpe::merge_long(std::vector<TokenId>& symbols) const {
  struct Candidate {
    std::uint32_t rank, at;
    TokenId result;
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };
  constexpr std::uint32_t kEnd = ~std::uint32_t{0};
  const auto count = static_cast<std::uint32_t>(symbols.size());
  std::vector<std::uint32_t> next(count), previous(count);
  std::vector<Candidate> initial;
  for (std::uint32_t i = 0; i < count; ++i) {
    next[i] = i + 1 < count ? i + 1 : kEnd;
    previous[i] = i > 0 ? i - 1 : kEnd;
    const Merge* merge = i + 1 < count ? find(symbols[i], symbols[i + 1]) : nullptr;
    if (merge) initial.push_back({merge->rank, i, merge->result});
  }
  std::priority_queue queue(std::greater<Candidate>{}, std::move(initial));
  const auto propose = [&](std::uint32_t at) {
    if (at == kEnd || next[at] == kEnd) return;
    if (const Merge* merge = find(symbols[at], symbols[next[at]])) {
      queue.push({merge->rank, at, merge->result});
    }
  };
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    // Stale where the symbol is gone or its pair has changed since.
    if (symbols[top.at] == kNoToken || next[top.at] == kEnd) continue;
    const std::uint32_t right = next[top.at];
    const Merge* merge = find(symbols[top.at], symbols[right]);
    if (merge == nullptr || merge->result != top.result) continue;
    symbols[top.at] = top.result;
    symbols[right] = kNoToken;
    next[top.at] = next[right];
    if (next[right] != kEnd) previous[next[right]] = top.at;
    propose(previous[top.at]);
    propose(top.at);
  }
  std::erase(symbols, kNoToken);
}

}  // namespace astraweave::tokens
