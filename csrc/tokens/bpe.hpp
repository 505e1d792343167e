// Byte-pair encoding over characters or bytes: the merge of lowest rank first, leftmost among
// equals, until none applies.
#pragma once

#include <array>
#include <memory>
#include <unordered_set>
#include <utility>

#include "tokens/model.hpp"

namespace astraweave::tokens {

struct BpeOptions {
  bool byte_level = false;      // symbols are bytes in GPT-2's alphabet, else characters
  bool byte_fallback = false;   // an unknown character becomes <0xXX> tokens
  bool whole_words = false;     // a piece that is a token needs no merging ("ignore_merges")
  bool rank_by_result = false;  // a merge ranks as the id of what it makes (tiktoken)
  bool fuse_unknown = false;
  TokenId unknown = kNoToken;  // none: an unknown character vanishes
};

class Bpe final : public Model {
 public:
  // `protected_ids` (control tokens) are never produced by merging or by looking up a whole piece.
  // Throws Error(kCorruptData) for a merge that the vocabulary lacks.
  Bpe(std::shared_ptr<const Vocabulary> vocabulary,
      const std::vector<std::pair<std::string, std::string>>& merges,
      std::unordered_set<TokenId> protected_ids, BpeOptions options);

  void encode(std::string_view piece, std::vector<TokenId>& out) const override;

 private:
  struct Merge {
    std::uint64_t pair = ~std::uint64_t{0};
    std::uint32_t rank = 0;
    TokenId result = kNoToken;
  };
  static std::uint64_t key(TokenId left, TokenId right) noexcept {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
  }
  void add_merge(const std::pair<std::string, std::string>& merge, std::uint32_t rank);
  std::size_t slot(std::uint64_t pair) const noexcept;
  const Merge* find(TokenId left, TokenId right) const noexcept;
  void append_symbols(std::string_view piece, std::vector<TokenId>& symbols) const;
  bool append_fallback(std::string_view symbol, std::vector<TokenId>& symbols) const;
  void merge_short(std::vector<TokenId>& symbols) const;
  void merge_long(std::vector<TokenId>& symbols) const;

  std::shared_ptr<const Vocabulary> vocabulary_;
  std::unordered_set<TokenId> protected_ids_;
  BpeOptions options_;
  std::vector<Merge> merges_;                // open addressing, at most half full
  std::array<TokenId, 256> byte_symbols_{};  // byte level: the token of a byte
  std::array<TokenId, 256> fallback_{};      // the token <0xXX>
};

}  // namespace astraweave::tokens
