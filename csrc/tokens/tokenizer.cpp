#include "tokens/tokenizer.hpp"

#include <array>

#include "error.hpp"
#include "tokens/unicode.hpp"

namespace astraweave::tokens {
namespace {

constexpr std::size_t kBatch = 256;                      // pieces found before they are counted
constexpr std::size_t kFarthest = std::size_t{1} << 31;  // that PieceFinder's offsets are used for

// Calls each(text, where the first of some pieces starts, where each of them ends).
template <typename Each>
void each_batch(const PieceRules& rules, std::string_view text, Each&& each) {
  if (text.size() > kFarthest) {
    throw Error(ErrorCode::kInput, "a text of more than 2 GB has to be handed over in parts");
  }
  PieceFinder finder(rules, text);
  std::array<std::uint32_t, kBatch> ends;
  std::size_t start = 0;
  while (const std::size_t found = finder.next(ends.data(), kBatch)) {
    each(text, start, std::span<const std::uint32_t>(ends.data(), found));
    start = ends[found - 1];
  }
}

}  // namespace

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
  std::vector<AddedToken> sought, raw, normalized;
  for (const AddedToken& token : added) {
    require_utf8(token.content, "an added token");
    if (!vocabulary_->contains(token.id)) {
      throw Error(ErrorCode::kCorruptData, "the added token '" + token.content + "' has the id " +
                                               std::to_string(token.id) + ", which no token has");
    }
    if (token.special && !with_special) continue;
    sought.push_back(token);
    (token.normalized ? normalized : raw).push_back(token);
  }
  for (AddedToken& token : normalized) {
    std::string buffer;
    token.content = std::string(normalizer_.apply(token.content, buffer));
  }
  return {AddedTokenMatcher(std::move(raw)), AddedTokenMatcher(std::move(normalized)),
          Cuts(normalizer_, splitter_, sought, *model_)};
}

// Calls on_token(id) for each added token and on_text(normal text, whether it is the start) for
// what lies between.
template <typename OnToken, typename OnText>
void Tokenizer::each_part(std::string_view text, bool special, bool continues, OnToken&& on_token,
                          OnText&& on_text) const {
  const Matchers& added = special ? all_ : plain_;
  std::string buffer;
  const auto on_raw = [&](std::string_view part) {
    const bool is_first = part.data() == text.data();
    const std::string_view normal = normalizer_.apply(part, buffer, continues && is_first);
    if (added.normalized.empty()) return on_text(normal, is_first && !continues);
    added.normalized.split(normal, on_token, [&](std::string_view piece) {
      on_text(piece, is_first && !continues && piece.data() == normal.data());
    });
  };
  if (added.raw.empty()) return on_raw(text);
  added.raw.split(text, on_token, on_raw);
}

void Tokenizer::encode(std::string_view text, bool special, std::vector<TokenId>& out) const {
  const Splitter::Sink sink = [&](std::string_view piece) { model_->encode(piece, out); };
  each_part(
      text, special, false, [&](TokenId id) { out.push_back(id); },
      [&](std::string_view part, bool at_start) {
        if (!splitter_.piece_rules()) return splitter_.split(part, at_start, sink);
        each_batch(*splitter_.piece_rules(), part,
                   [&](std::string_view run, std::size_t start, auto ends) {
                     for (const std::size_t end : ends) {
                       model_->encode(run.substr(start, end - start), out);
                       start = end;
                     }
                   });
      });
}

std::size_t Tokenizer::count(std::string_view text, bool special, bool continues) const {
  std::size_t total = 0;
  each_part(
      text, special, continues, [&](TokenId) { ++total; },
      [&](std::string_view part, bool at_start) { total += count_text(part, at_start); });
  return total;
}

std::size_t Tokenizer::count_text(std::string_view text, bool at_start) const {
  std::size_t total = 0;
  if (splitter_.piece_rules()) {
    each_batch(*splitter_.piece_rules(), text,
               [&](std::string_view run, std::size_t start, auto ends) {
                 total += model_->count_all(run, start, ends);
               });
  } else if (splitter_.steps().empty()) {
    total = model_->count(text);
  } else {
    splitter_.split(text, at_start, [&](std::string_view piece) { total += model_->count(piece); });
  }
  return total;
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
