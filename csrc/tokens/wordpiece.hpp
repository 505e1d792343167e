// WordPiece: the longest token at each place of a word, or 'unknown' for the whole word.
#pragma once

#include <memory>
#include <unordered_set>

#include "tokens/model.hpp"

namespace astraweave::tokens {

struct WordPieceOptions {
  TokenId unknown = kNoToken;
  std::string prefix = "##";  // before every token that continues a word
  std::size_t max_word_chars = 100;
};

class WordPiece final : public Model {
 public:
  // `protected_ids` (control tokens) are produced by no word.
  WordPiece(std::shared_ptr<const Vocabulary> vocabulary, std::unordered_set<TokenId> protected_ids,
            WordPieceOptions options);

  void encode(std::string_view word, std::vector<TokenId>& out) const override;
  std::size_t count(std::string_view word) const override;

 private:
  std::shared_ptr<const Vocabulary> vocabulary_;
  std::unordered_set<TokenId> protected_ids_;
  WordPieceOptions options_;
  std::size_t longest_ = 0;  // of all tokens, in bytes
};

}  // namespace astraweave::tokens
