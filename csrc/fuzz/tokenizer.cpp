// Any bytes as a tokenizer and a text: the parts are refused with an error of ours, or whatever is
// encoded and decoded keeps the promises of tokenizer.hpp.
#include "tokens/tokenizer.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "error.hpp"
#include "fuzz/fuzz.hpp"
#include "tokens/appender.hpp"
#include "tokens/bpe.hpp"
#include "tokens/byte_alphabet.hpp"
#include "tokens/truncate.hpp"
#include "tokens/unicode.hpp"
#include "tokens/wordpiece.hpp"

namespace {

using namespace astraweave::tokens;  // NOLINT(google-build-using-namespace)
using astraweave::fuzz::Reader;

struct Parts {
  std::vector<std::optional<std::string>> tokens;
  std::vector<std::pair<std::string, std::string>> merges;
  std::vector<AddedToken> added;
  std::unordered_set<TokenId> special;
};

Parts read_parts(Reader& reader, bool byte_level) {
  Parts parts;
  if (byte_level) parts.tokens.assign(byte_characters().begin(), byte_characters().end());
  for (std::size_t i = reader.below(24); i > 0; --i) {
    if (reader.below(8) == 0) {
      parts.tokens.emplace_back(std::nullopt);
    } else {
      parts.tokens.emplace_back(reader.text(6));
    }
  }
  for (std::size_t i = reader.below(8); i > 0; --i) {
    std::string left = reader.text(3);
    parts.merges.emplace_back(std::move(left), reader.text(3));
  }
  for (std::size_t i = reader.below(4); i > 0 && !parts.tokens.empty(); --i) {
    AddedToken token{.id = static_cast<TokenId>(reader.below(parts.tokens.size()))};
    token.content = reader.text(6);
    token.special = reader.flag();
    token.normalized = reader.flag();
    token.single_word = reader.flag();
    token.strips_left = reader.flag();
    token.strips_right = reader.flag();
    if (token.special) parts.special.insert(token.id);
    parts.added.push_back(std::move(token));
  }
  return parts;
}

std::vector<NormalizerStep> read_steps(Reader& reader) {
  std::vector<NormalizerStep> steps;
  for (std::size_t i = reader.below(4); i > 0; --i) {
    const auto kind = static_cast<NormalizerStep::Kind>(reader.below(9));
    std::string from = reader.text(3);
    steps.push_back({kind, std::move(from), reader.text(3)});
  }
  return steps;
}

std::vector<SplitStep> read_splits(Reader& reader) {
  std::vector<SplitStep> steps;
  for (std::size_t i = reader.below(3); i > 0; --i) {
    SplitStep step{.kind = static_cast<SplitStep::Kind>(reader.below(7))};
    step.rules = {static_cast<ScanRules::Family>(reader.below(3)),
                  static_cast<int>(reader.below(5)), reader.flag(), reader.flag()};
    step.single = reader.flag();
    step.scheme = static_cast<SplitStep::Scheme>(reader.below(3));
    step.behaviour = static_cast<SplitStep::Behaviour>(reader.below(4));
    step.text = reader.text(3);
    steps.push_back(std::move(step));
  }
  return steps;
}

DecoderRules read_decoder(Reader& reader, bool byte_level) {
  DecoderRules rules{.kind = static_cast<DecoderRules::Kind>(reader.below(5))};
  if (byte_level) rules.kind = DecoderRules::Kind::kByteLevel;
  for (std::size_t i = reader.below(3); i > 0; --i) {
    std::string from = reader.text(3);
    rules.replacements.emplace_back(std::move(from), reader.text(3));
  }
  rules.byte_fallback = rules.cleans_up = rules.drops_first = reader.flag();
  rules.strip = reader.text(2);
  rules.prefix = reader.text(3);
  rules.strip_count = reader.byte();
  return rules;
}

// Appended in parts (as long as the text itself says), the count is that of what is there so far;
// what is kept of a text has no more tokens than were asked for.
void try_counts(const std::shared_ptr<const Tokenizer>& tokenizer, std::string_view text,
                bool special) {
  Appender appender(tokenizer, special);
  for (std::size_t at = 0; at < text.size();) {
    std::size_t stop = at + 1 + static_cast<unsigned char>(text[at]) % 7;
    while (stop < text.size() && (static_cast<unsigned char>(text[stop]) & 0xC0) == 0x80) ++stop;
    stop = std::min(stop, text.size());
    appender.append(text.substr(at, stop - at));
    FUZZ_CHECK(appender.total() == tokenizer->count(text.substr(0, stop), special));
    at = stop;
  }
  const std::size_t most = text.size() % 9;
  const std::string_view start = keep_start(tokenizer, text, most, special);
  const std::string_view end = keep_end(*tokenizer, text, most, special);
  FUZZ_CHECK(is_valid_utf8(start) && is_valid_utf8(end));
  FUZZ_CHECK(start.empty() || tokenizer->count(start, special) <= most);
  FUZZ_CHECK(end.empty() || tokenizer->count(end, special) <= most);
}

void try_text(const std::shared_ptr<const Tokenizer>& tokenizer, std::string_view text,
              bool is_lossless) {
  for (const bool special : {false, true}) {
    std::vector<TokenId> ids;
    tokenizer->encode(text, special, ids);
    for (const TokenId id : ids) FUZZ_CHECK(tokenizer->vocabulary().contains(id));
    const std::string decoded = tokenizer->decode(ids, false);
    FUZZ_CHECK(is_valid_utf8(decoded));
    FUZZ_CHECK(!is_lossless || decoded == text);
    StreamDecoder stream(tokenizer, false);
    std::string streamed;
    for (const TokenId id : ids) streamed += stream.push(id);
    FUZZ_CHECK(streamed + stream.flush() == decoded);
    FUZZ_CHECK(tokenizer->count(text, special) == ids.size());
    try_counts(tokenizer, text, special);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Reader reader(data, size);
  const bool byte_level = reader.flag();
  const bool word_pieces = !byte_level && reader.flag();
  try {
    Parts parts = read_parts(reader, byte_level);
    auto vocabulary = std::make_shared<const Vocabulary>(parts.tokens);
    const TokenId unknown = vocabulary->contains(0) && reader.flag() ? 0 : kNoToken;
    std::unique_ptr<const Model> model;
    if (word_pieces) {
      model = std::make_unique<WordPiece>(
          vocabulary, parts.special, WordPieceOptions{unknown, reader.text(2), reader.below(50)});
    } else {
      BpeOptions options{.byte_level = byte_level, .unknown = unknown};
      options.byte_fallback = reader.flag();
      options.whole_words = reader.flag();
      options.rank_by_result = reader.flag();
      options.fuse_unknown = reader.flag();
      model = std::make_unique<Bpe>(vocabulary, parts.merges, parts.special, options);
    }
    Normalizer normalizer(read_steps(reader));
    // Bytes come back as they were where nothing rewrites the text on its way in.
    const bool is_lossless = byte_level && normalizer.empty() && parts.added.empty();
    const bool has_splits = reader.flag();
    Splitter splitter(has_splits ? read_splits(reader) : std::vector<SplitStep>{});
    const auto tokenizer = std::make_shared<const Tokenizer>(
        std::move(vocabulary), std::move(model), std::move(normalizer), std::move(splitter),
        parts.added, read_decoder(reader, byte_level));
    std::string text;  // as the bindings hand it over
    append_valid_utf8(reader.rest(), true, text);
    try_text(tokenizer, text, is_lossless && !has_splits && tokenizer->vocabulary().size() > 255);
  } catch (const astraweave::Error&) {
  }
  return 0;
}
