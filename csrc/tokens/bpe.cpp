#include "tokens/bpe.hpp"

#include <algorithm>
#include <cstdio>

#include "error.hpp"
#include "tokens/byte_alphabet.hpp"
#include "tokens/heap_bpe.hpp"
#include "tokens/unicode.hpp"

namespace astraweave::tokens {
namespace {

// Above this many, LongBpe's trie is worth building (some tens of milliseconds, once for a
// vocabulary); the heap takes a millisecond for as many.
constexpr std::size_t kLong = 8192;
constexpr std::size_t kMostTokens = std::size_t{1} << 20;  // that a PieceTable has room to name

constexpr std::string_view kMarkTexts[] = {" ", "\n", "\xE2\x96\x81"};

// Scratch space of the thread that asks; a megabyte's is not kept for ever.
class Scratch {
 public:
  Scratch() = default;
  ~Scratch() {
    if (symbols().capacity() > (1u << 16)) symbols() = {};
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  static std::vector<TokenId>& symbols() {
    thread_local std::vector<TokenId> instance;
    return instance;
  }
};

bool is_one_character(std::string_view token) {
  return !token.empty() &&
         token.size() ==
             static_cast<std::size_t>(utf8_length(static_cast<unsigned char>(token.front())));
}

[[noreturn]] void refuse_merge(std::size_t rank, const std::string& first,
                               const std::string& second) {
  throw Error(ErrorCode::kCorruptData, "merge " + std::to_string(rank) + " ('" + first + "' + '" +
                                           second + "') names a token that the vocabulary lacks");
}

}  // namespace

Bpe::Bpe(std::shared_ptr<const Vocabulary> vocabulary,
         const std::vector<std::pair<std::string, std::string>>& merges,
         const std::unordered_set<TokenId>& protected_ids, BpeOptions options)
    : vocabulary_(std::move(vocabulary)),
      options_(options),
      is_symbol_(vocabulary_->size()),
      whole_(vocabulary_->size()) {
  if (vocabulary_->size() > kMostTokens) {
    throw Error(ErrorCode::kCorruptData, "a vocabulary of " + std::to_string(vocabulary_->size()) +
                                             " tokens; " + std::to_string(kMostTokens) +
                                             " are the most that are supported");
  }
  find_symbols();
  merges_ = merge_table(merges, protected_ids);
  const auto& bytes = byte_symbols_;
  if (options_.byte_level && std::find(bytes.begin(), bytes.end(), kNoToken) == bytes.end()) {
    short_.know_bytes(bytes);
  }
  find_whole_pieces(protected_ids);
  find_joins();
}

void Bpe::find_symbols() {
  const auto note = [&](TokenId symbol) {
    if (symbol != kNoToken) is_symbol_[static_cast<std::size_t>(symbol)] = true;
  };
  for (std::size_t byte = 0; byte < 256; ++byte) {
    std::array<char, 8> name{};
    std::snprintf(name.data(), name.size(), "<0x%02X>", static_cast<unsigned>(byte));
    fallback_[byte] = vocabulary_->id(name.data());
    const char ascii = static_cast<char>(byte);
    byte_symbols_[byte] = options_.byte_level ? vocabulary_->id(byte_characters()[byte])
                          : byte < 0x80       ? vocabulary_->id({&ascii, 1})
                                              : kNoToken;
    note(byte_symbols_[byte]);
    if (options_.byte_fallback) note(fallback_[byte]);
  }
  note(options_.unknown);
  for (std::size_t i = 0; i < vocabulary_->size() && !options_.byte_level; ++i) {
    const auto token = static_cast<TokenId>(i);
    if (is_one_character(vocabulary_->token(token))) note(token);
  }
}

MergeTable Bpe::merge_table(const std::vector<std::pair<std::string, std::string>>& merges,
                            const std::unordered_set<TokenId>& protected_ids) const {
  if (options_.rank_by_result && merges.empty()) return every_split(protected_ids);
  std::vector<MergeTable::Merge> table;
  table.reserve(merges.size());
  std::string joined;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [first, second] = merges[rank];
    const TokenId left = vocabulary_->id(first), right = vocabulary_->id(second);
    joined.assign(first).append(second);
    const TokenId result = vocabulary_->id(joined);
    if (left == kNoToken || right == kNoToken || result == kNoToken) {
      refuse_merge(rank, first, second);
    }
    if (protected_ids.contains(result)) continue;
    const auto order = 1 + (options_.rank_by_result ? static_cast<std::size_t>(result) : rank);
    table.push_back({MergeTable::key(left, right), static_cast<std::uint32_t>(order), result});
  }
  return {std::move(table), is_symbol_};
}

// Every way to cut a token in two tokens, as a merge that ranks as the token.
MergeTable Bpe::every_split(const std::unordered_set<TokenId>& protected_ids) const {
  std::vector<MergeTable::Merge> table;
  table.reserve(3 * vocabulary_->size());
  for (std::size_t i = 0; i < vocabulary_->size(); ++i) {
    const auto result = static_cast<TokenId>(i);
    if (protected_ids.contains(result)) continue;
    const std::string_view text = vocabulary_->token(result);
    for (std::size_t at = 1; at < text.size(); ++at) {
      if ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) continue;
      const TokenId left = vocabulary_->id(text.substr(0, at));
      if (left == kNoToken || protected_ids.contains(left)) continue;
      const TokenId right = vocabulary_->id(text.substr(at));
      if (right == kNoToken || protected_ids.contains(right)) continue;
      table.push_back({MergeTable::key(left, right), static_cast<std::uint32_t>(i + 1), result});
    }
  }
  return {std::move(table), is_symbol_};
}

void Bpe::find_whole_pieces(const std::unordered_set<TokenId>& protected_ids) {
  std::vector<TokenId> ids;
  for (std::size_t i = 0; i < vocabulary_->size(); ++i) {
    const auto token = static_cast<TokenId>(i);
    const std::string_view text = vocabulary_->token(token);
    const std::string bytes = options_.byte_level ? alphabet_to_bytes(text) : std::string(text);
    if (bytes.empty() || (options_.byte_level && bytes_to_alphabet(bytes) != text)) continue;
    bool is_whole;
    if (options_.whole_words && !protected_ids.contains(token)) {
      is_whole = true;
    } else if (merges_.proper() && !is_symbol_[i]) {
      is_whole = merges_.made(token).rank != 0;
    } else {  // the long way: what becomes of it?
      ids.clear();
      append_symbols(bytes, ids);
      merge(ids);
      is_whole = ids.size() == 1 && ids.front() == token;
    }
    if (is_whole) whole_.add(bytes, token);
  }
}

// Where whole texts are one piece (Gemma, Mistral), they may still be cut wherever no token reaches
// across: before nearly every space.
void Bpe::find_joins() {
  marks_.fill(kNoToken);
  if (!always_known()) return;
  for (std::size_t mark = 0; mark < kMarks; ++mark) {
    std::size_t at = 0;
    marks_[mark] = symbol_at(kMarkTexts[mark], at);
    joins_[mark].resize(vocabulary_->size());
  }
  for (std::size_t i = 0; i < vocabulary_->size(); ++i) {
    const MergeTable::Made* made = &merges_.made(static_cast<TokenId>(i));
    if (made->rank == 0) continue;
    TokenId last = made->left, first = made->right;
    while (merges_.made(last).rank != 0) last = merges_.made(last).right;
    while (merges_.made(first).rank != 0) first = merges_.made(first).left;
    for (std::size_t mark = 0; mark < kMarks; ++mark) {
      if (first == marks_[mark]) joins_[mark][static_cast<std::size_t>(last)] = true;
    }
  }
}

// Whether every character becomes symbols of its own, none of which vanishes or merges unseen, and
// a stretch of a piece is encoded as a piece is.
bool Bpe::always_known() const noexcept {
  if (!merges_.proper() || options_.whole_words) return false;
  if (!options_.byte_level && !options_.byte_fallback) return false;
  const auto& bytes = options_.byte_level ? byte_symbols_ : fallback_;
  if (std::find(bytes.begin(), bytes.end(), kNoToken) != bytes.end()) return false;
  if (options_.byte_level) return true;
  for (std::size_t i = 0; i < vocabulary_->size(); ++i) {
    const MergeTable::Made& made = merges_.made(static_cast<TokenId>(i));
    for (const TokenId half : {made.left, made.right}) {
      if (std::find(bytes.begin(), bytes.end(), half) != bytes.end() && made.rank != 0)
        return false;
    }
  }
  return true;
}

// The symbol of the character (or byte) at `at`, which is stepped over.
TokenId Bpe::symbol_at(std::string_view text, std::size_t& at) const noexcept {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (options_.byte_level || byte < 0x80) {
    ++at;
    return byte_symbols_[byte];
  }
  const std::string_view character = text.substr(at, static_cast<std::size_t>(utf8_length(byte)));
  at += character.size();
  return vocabulary_->id(character);
}

bool Bpe::never_joins(std::string_view before, std::string_view after) const {
  for (std::size_t mark = 0; mark < kMarks; ++mark) {
    if (joins_[mark].empty() || !after.starts_with(kMarkTexts[mark]) || before.empty()) continue;
    if (options_.byte_level && kMarkTexts[mark].size() > 1) continue;
    std::size_t at = before.size() - 1;
    while (!options_.byte_level && (static_cast<unsigned char>(before[at]) & 0xC0) == 0x80) --at;
    const TokenId last = symbol_at(before, at);
    return last == kNoToken || marks_[mark] == kNoToken ||
           !joins_[mark][static_cast<std::size_t>(last)];
  }
  return false;
}

template <typename Each>
void Bpe::cut_where_nothing_joins(std::string_view text, Each&& each) const {
  if (joins_[0].empty() || text.size() <= PieceCache::kLongest) return each(text);
  std::size_t start = 0;
  for (std::size_t at = 1; at < text.size(); ++at) {
    const char c = text[at];
    if (c != ' ' && c != '\n' && c != '\xE2') continue;
    if (!never_joins(text.substr(start, at - start), text.substr(at))) continue;
    each(text.substr(start, at - start));
    start = at;
  }
  each(text.substr(start));
}

void Bpe::encode(std::string_view piece, std::vector<TokenId>& out) const {
  cut_where_nothing_joins(piece, [&](std::string_view part) {
    if (part.empty()) return;
    if (const TokenId whole = whole_.find(part); whole != kNoToken) return out.push_back(whole);
    const Scratch scratch;
    if (part.size() > PieceCache::kLongest) {
      const auto ids = merged(part, Scratch::symbols());
      out.insert(out.end(), ids.begin(), ids.end());
      return;
    }
    const LongKey key = LongKey::of(part.data(), part.size(), part.size());
    PieceCache& cache = PieceCache::of_this_thread(owner_);
    PieceCache::Entry& entry = cache.at(key.hash());
    if (!PieceCache::holds(entry, key) || entry.count > PieceCache::kIds) {
      const auto ids = merged(part, Scratch::symbols());
      cache.keep(entry, key, ids);
      out.insert(out.end(), ids.begin(), ids.end());
    } else {
      out.insert(out.end(), entry.ids.begin(), entry.ids.begin() + entry.count);
    }
  });
}

std::size_t Bpe::count(std::string_view piece) const {
  std::size_t total = 0;
  cut_where_nothing_joins(piece, [&](std::string_view part) {
    if (!part.empty()) total += count_part(part, part.size());
  });
  return total;
}

std::size_t Bpe::count_all(std::string_view text, std::size_t start,
                           std::span<const std::uint32_t> ends) const {
  std::size_t total = 0;
  const char* at = text.data() + start;
  for (const std::size_t end : ends) {
    const char* const stop = text.data() + end;
    total += count_part({at, static_cast<std::size_t>(stop - at)},
                        static_cast<std::size_t>(text.data() + text.size() - at));
    at = stop;
  }
  return total;
}

// Of a piece that is not cut further; `readable`: how many bytes may be read from its start on.
// Small, so that it becomes a part of count_all's loop: most pieces are done here.
inline std::size_t Bpe::count_part(std::string_view part, std::size_t readable) const {
  if (part.size() <= PieceKey::kLongest) {
    const PieceKey key = PieceKey::of(part.data(), part.size(), readable);
    const std::uint64_t hash = key.hash();
    return whole_.find(key, hash) != kNoToken ? 1 : count_merged(part, key, hash);
  }
  return count_longer(part, readable);
}

// Of a short piece that is no token.
std::size_t Bpe::count_merged(std::string_view part, PieceKey key, std::uint64_t hash) const {
  PieceCache& cache = PieceCache::of_this_thread(owner_);
  if (const std::uint64_t known = cache.count(key, hash)) return known;
  const Scratch scratch;
  const std::size_t count = merged(part, Scratch::symbols()).size();
  cache.keep(key, hash, count);
  return count;
}

// Of a piece of more bytes than a PieceKey has.
std::size_t Bpe::count_longer(std::string_view part, std::size_t readable) const {
  if (part.size() <= LongKey::kLongest) {
    const LongKey key = LongKey::of(part.data(), part.size(), readable);
    const std::uint64_t hash = key.hash();
    PieceCache& cache = PieceCache::of_this_thread(owner_);
    PieceCache::Entry& entry = cache.at(hash);
    if (PieceCache::holds(entry, key)) return entry.count;
    if (whole_.find_long(part, hash) != kNoToken) return 1;
    const Scratch scratch;
    cache.keep(entry, key, merged(part, Scratch::symbols()));
    return entry.count;
  }
  const std::uint64_t hash = long_hash(part, readable);
  PieceCache& cache = PieceCache::of_this_thread(owner_);
  const bool is_kept = part.size() <= PieceCache::kLongestCounted;
  if (const std::size_t known = is_kept ? cache.count_clause(part, hash) : 0) return known;
  if (whole_.find_long(part, hash) != kNoToken) return 1;
  const Scratch scratch;
  const std::size_t count = merged(part, Scratch::symbols()).size();
  if (is_kept) cache.keep_clause(part, hash, count);
  return count;
}

std::span<const TokenId> Bpe::merged(std::string_view piece, std::vector<TokenId>& symbols) const {
  if (short_.knows_bytes() && piece.size() <= ShortBpe::kMost) {
    if (symbols.size() < piece.size()) symbols.resize(piece.size());
    return {symbols.data(), short_.merge_bytes(piece, symbols.data())};
  }
  symbols.clear();
  append_symbols(piece, symbols);
  merge(symbols);
  return symbols;
}

void Bpe::append_symbols(std::string_view piece, std::vector<TokenId>& symbols) const {
  bool pending_unknown = false;  // written once the next known symbol, or the end, is reached
  for (std::size_t at = 0; at < piece.size();) {
    const std::size_t start = at;
    const TokenId symbol = symbol_at(piece, at);
    if (symbol != kNoToken) {
      if (pending_unknown) symbols.push_back(options_.unknown);
      pending_unknown = false;
      symbols.push_back(symbol);
    } else if (options_.byte_fallback &&
               append_fallback(options_.byte_level
                                   ? byte_characters()[static_cast<unsigned char>(piece[start])]
                                   : piece.substr(start, at - start),
                               symbols)) {
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

void Bpe::merge(std::vector<TokenId>& symbols) const {
  if (symbols.size() <= ShortBpe::kMost) return symbols.resize(short_.merge(symbols));
  if (symbols.size() < kLong || !merges_.proper()) return merge_by_heap(merges_, symbols);
  std::call_once(long_once_, [&] { long_ = std::make_unique<const LongBpe>(merges_, is_symbol_); });
  long_->merge(symbols);
}

}  // namespace astraweave::tokens
