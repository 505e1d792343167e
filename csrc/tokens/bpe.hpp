// Byte-pair encoding over characters or bytes: the merge of lowest rank first, leftmost among
// equals, until none applies.
//
// Three roads to one answer, the cheapest first: a piece that is a token (PieceTable, four pieces
// of five in prose), a piece that this thread met before (PieceCache), and merging.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <utility>

#include "tokens/long_bpe.hpp"
#include "tokens/merge_table.hpp"
#include "tokens/model.hpp"
#include "tokens/piece_cache.hpp"
#include "tokens/piece_table.hpp"
#include "tokens/short_bpe.hpp"

namespace astraweave::tokens {

struct BpeOptions {
  bool byte_level = false;     // symbols are bytes in GPT-2's alphabet, else characters
  bool byte_fallback = false;  // an unknown character becomes <0xXX> tokens
  bool whole_words = false;    // a piece that is a token needs no merging ("ignore_merges")
  // tiktoken: a merge ranks as the id of what it makes; where none are given, all that make tokens
  // are taken.
  bool rank_by_result = false;
  bool fuse_unknown = false;
  TokenId unknown = kNoToken;  // none: an unknown character vanishes
};

class Bpe final : public Model {
 public:
  // `protected_ids` (control tokens) are never produced by merging or by looking up a whole piece.
  // Throws Error(kCorruptData) for a merge that the vocabulary lacks, or too large a vocabulary.
  Bpe(std::shared_ptr<const Vocabulary> vocabulary,
      const std::vector<std::pair<std::string, std::string>>& merges,
      const std::unordered_set<TokenId>& protected_ids, BpeOptions options);

  void encode(std::string_view piece, std::vector<TokenId>& out) const override;
  std::size_t count(std::string_view piece) const override;
  std::size_t count_all(std::string_view text, std::size_t start,
                        std::span<const std::uint32_t> ends) const override;
  bool never_joins(std::string_view before, std::string_view after) const override;

 private:
  static constexpr std::size_t kMarks = 3;  // symbols before which a text is cut where it may be

  void find_symbols();
  MergeTable merge_table(const std::vector<std::pair<std::string, std::string>>& merges,
                         const std::unordered_set<TokenId>& protected_ids) const;
  MergeTable every_split(const std::unordered_set<TokenId>& protected_ids) const;
  void find_whole_pieces(const std::unordered_set<TokenId>& protected_ids);
  void find_joins();
  bool always_known() const noexcept;

  TokenId symbol_at(std::string_view text, std::size_t& at) const noexcept;
  void append_symbols(std::string_view piece, std::vector<TokenId>& symbols) const;
  bool append_fallback(std::string_view symbol, std::vector<TokenId>& symbols) const;
  void merge(std::vector<TokenId>& symbols) const;
  std::span<const TokenId> merged(std::string_view piece, std::vector<TokenId>& symbols) const;

  std::size_t count_part(std::string_view part, std::size_t readable) const;
  std::size_t count_merged(std::string_view part, PieceKey key, std::uint64_t hash) const;
  std::size_t count_longer(std::string_view part, std::size_t readable) const;
  template <typename Each>
  void cut_where_nothing_joins(std::string_view text, Each&& each) const;

  std::shared_ptr<const Vocabulary> vocabulary_;
  BpeOptions options_;
  std::uint32_t owner_ = PieceCache::new_owner();
  std::vector<bool> is_symbol_;              // by token: a text may start out with it
  std::array<TokenId, 256> byte_symbols_{};  // byte level: the token of a byte; else of ASCII
  std::array<TokenId, 256> fallback_{};      // the token <0xXX>
  MergeTable merges_;
  ShortBpe short_{merges_};
  PieceTable whole_;
  std::array<std::vector<bool>, kMarks> joins_;  // by symbol: some token has this mark behind it
  std::array<TokenId, kMarks> marks_{};
  mutable std::once_flag long_once_;
  mutable std::unique_ptr<const LongBpe> long_;
};

}  // namespace astraweave::tokens
