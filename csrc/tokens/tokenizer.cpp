#include "tokens/tokenizer.hpp"

#include "error.hpp"
#include "tokens/unicode.hpp"

namespace astraweave::tokens {

Tokenizer::Tokenizer(std::shared_ptr<const Vocabulary> vocabulary,
                     std::unique_ptr<const Model> model, Normalizer normalizer, Splitter splitter,
                     const std::vector<AddedToken>& added, DecoderRules decoder)
    : vocabulary_(std::move(vocabulary)),
      model_(std::move(model)),
      normalizer_(std::move(normalizer)),
      splitter_(std::move(splitter)),
      plain_(matchers(added, false)),
      all_(matchers(added, true)),
      decoder_(std::move(decoder)) {
  for (const AddedToken& token : added) {
    if (token.special) special_ids_.insert(token.id);
  }
  for (const auto& [from, to] : decoder_.replacements) {
    require_utf8(from, "what a decoder replaces");
    require_utf8(to, "what a decoder writes");
  }
  require_utf8(decoder_.strip, "what a decoder strips");
  require_utf8(decoder_.prefix, "the prefix of a decoder");
  if (decoder_.strip.empty()) decoder_.strip_count = 0;
}

Tokenizer::Matchers Tokenizer::matchers(const std::vector<AddedToken>& added,
                                        bool with_special) const {
  std::vector<AddedToken> raw, normalized;
  for (const AddedToken& token : added) {
    require_utf8(token.content, "an added token");
    if (!vocabulary_->contains(token.id)) {
      throw Error(ErrorCode::kCorruptData, "the added token '" + token.content + "' has the id " +
                                               std::to_string(token.id) + ", which no token has");
    }
    if (token.special && !with_special) continue;
    (token.normalized ? normalized : raw).push_back(token);
  }
  for (AddedToken& token : normalized) {
    std::string buffer;
    token.content = std::string(normalizer_.apply(token.content, buffer));
  }
  return {AddedTokenMatcher(std::move(raw)), AddedTokenMatcher(std::move(normalized))};
}

void Tokenizer::encode(std::string_view text, bool special, std::vector<TokenId>& out) const {
  const Matchers& added = special ? all_ : plain_;
  const Splitter::Sink sink = [&](std::string_view piece) { model_->encode(piece, out); };
  const auto on_token = [&](TokenId id) { out.push_back(id); };
  std::string buffer;
  const auto on_raw = [&](std::string_view part) {
    const bool at_start = part.data() == text.data();
    const std::string_view normal = normalizer_.apply(part, buffer);
    const auto on_normal = [&](std::string_view piece) {
      splitter_.split(piece, at_start && piece.data() == normal.data(), sink);
    };
    if (added.normalized.empty()) return on_normal(normal);
    added.normalized.split(normal, on_token, on_normal);
  };
  if (added.raw.empty()) return on_raw(text);
  added.raw.split(text, on_token, on_raw);
}

std::string_view Tokenizer::checked_token(TokenId id) const {
  if (!vocabulary_->contains(id)) {
    throw Error(ErrorCode::kInput, "no token has the id " + std::to_string(id) +
                                       "; the vocabulary ends at " +
                                       std::to_string(vocabulary_->size()));
  }
  return vocabulary_->token(id);
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  std::string out;
  TextDecoder decoder(decoder_);
  for (const TokenId id : ids) {
    const std::string_view token = checked_token(id);
    if (skip_special && is_special(id)) continue;
    decoder.push(token, out);
  }
  decoder.flush(out);
  return out;
}

std::string StreamDecoder::push(TokenId id) {
  std::string out;
  const std::string_view token = tokenizer_->checked_token(id);
  if (!skips_special_ || !tokenizer_->is_special(id)) decoder_.push(token, out);
  return out;
}

std::string StreamDecoder::flush() {
  std::string out;
  decoder_.flush(out);
  return out;
}

}  // namespace astraweave::tokens
