// The whole road: added tokens, normalising, splitting, the model; and back.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "tokens/added_tokens.hpp"
#include "tokens/cuts.hpp"
#include "tokens/decoder.hpp"
#include "tokens/model.hpp"
#include "tokens/normalizer.hpp"
#include "tokens/splitter.hpp"
#include "tokens/vocabulary.hpp"

namespace astraweave::tokens {

// Immutable once built: any number of threads may use one.
class Tokenizer {
 public:
  // Throws Error(kCorruptData) for a text of `added` or `decoder` that is not UTF-8, and
  // for an added token whose id no token of the vocabulary has.
  Tokenizer(std::shared_ptr<const Vocabulary> vocabulary, std::unique_ptr<const Model> model,
            Normalizer normalizer, Splitter splitter, const std::vector<AddedToken>& added,
            DecoderRules decoder);

  // Appends the tokens of valid UTF-8. Control tokens are looked for only where `special`.
  void encode(std::string_view text, bool special, std::vector<TokenId>& out) const;
  // How many `encode` appends. A text that `continues` another stands behind one (see Appender).
  std::size_t count(std::string_view text, bool special, bool continues = false) const;
  // Throws Error(kInput) for an id that no token has.
  std::string decode(std::span<const TokenId> ids, bool skip_special) const;

  // Where a text may be cut so that the parts' counts add up.
  const Cuts& cuts(bool special) const noexcept { return (special ? all_ : plain_).cuts; }

  const Vocabulary& vocabulary() const noexcept { return *vocabulary_; }
  const DecoderRules& decoder_rules() const noexcept { return decoder_; }
  bool is_special(TokenId id) const noexcept { return special_ids_.contains(id); }
  std::string_view checked_token(TokenId id) const;

 private:
  struct Matchers {
    AddedTokenMatcher raw, normalized;
    Cuts cuts;
  };
  Matchers matchers(const std::vector<AddedToken>& added, bool with_special) const;
  template <typename OnToken, typename OnText>
  void each_part(std::string_view text, bool special, bool continues, OnToken&& on_token,
                 OnText&& on_text) const;
  std::size_t count_text(std::string_view text, bool at_start) const;

  std::shared_ptr<const Vocabulary> vocabulary_;
  std::unique_ptr<const Model> model_;
  Normalizer normalizer_;
  Splitter splitter_;
  std::unordered_set<TokenId> special_ids_;
  Matchers plain_, all_;
  DecoderRules decoder_;
};

// Decodes a stream of ids; for one thread at a time.
class StreamDecoder {
 public:
  StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special)
      : tokenizer_(std::move(tokenizer)),
        decoder_(tokenizer_->decoder_rules()),
        skips_special_(skip_special) {}
  std::string push(TokenId id);
  std::string flush();

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  TextDecoder decoder_;
  bool skips_special_;
};

}  // namespace astraweave::tokens
