#include "bindings/tokenizer_specs.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "bindings/bindings.hpp"
#include "error.hpp"
#include "tokens/bpe.hpp"
#include "tokens/wordpiece.hpp"

namespace astraweave::bindings {

using namespace tokens;  // NOLINT(google-build-using-namespace): the engine that is bound here

namespace {

template <typename Kind>
Kind named(const std::unordered_map<std::string, Kind>& names, const std::string& name,
           const char* what) {
  const auto found = names.find(name);
  if (found == names.end()) {
    throw Error(ErrorCode::kConfig, "unknown " + std::string(what) + " '" + name + "'");
  }
  return found->second;
}

Normalizer make_normalizer(const std::vector<StepSpec>& specs) {
  using Kind = NormalizerStep::Kind;
  static const std::unordered_map<std::string, Kind> kinds = {
      {"clean_text", Kind::kCleanText},
      {"space_cjk", Kind::kSpaceCjk},
      {"lowercase", Kind::kLowercase},
      {"nfc", Kind::kNfc},
      {"strip_bert_accents", Kind::kStripBertAccents},
      {"nfd", Kind::kNfd},
      {"strip_accents", Kind::kStripAccents},
      {"prepend", Kind::kPrepend},
      {"replace", Kind::kReplace},
  };
  std::vector<NormalizerStep> steps;
  for (const auto& [kind, from, to] : specs) {
    steps.push_back({named(kinds, kind, "normalizer step"), from, to});
  }
  return Normalizer(std::move(steps));
}

// The number means, by kind: digits in a group (scanners), the scheme (metaspace), the behaviour
// (literal); the switch: one by one (digits), split (metaspace), contractions or tiktoken's reading
// of the last whitespace (scanners).
SplitStep split_step(const SplitSpec& spec) {
  using Kind = SplitStep::Kind;
  using Family = ScanRules::Family;
  static const std::unordered_map<std::string, std::pair<Kind, Family>> kinds = {
      {"gpt2", {Kind::kScan, Family::kGpt2}},
      {"cl100k", {Kind::kScan, Family::kCl100k}},
      {"o200k", {Kind::kScan, Family::kO200k}},
      {"digits", {Kind::kDigits, Family::kGpt2}},
      {"bert", {Kind::kBert, Family::kGpt2}},
      {"whitespace", {Kind::kWhitespace, Family::kGpt2}},
      {"prefix_space", {Kind::kPrefixSpace, Family::kGpt2}},
      {"metaspace", {Kind::kMetaspace, Family::kGpt2}},
      {"literal", {Kind::kLiteral, Family::kGpt2}},
  };
  const auto& [name, text, number, flag] = spec;
  const auto [kind, family] = named(kinds, name, "splitter");
  SplitStep step;
  step.kind = kind;
  step.text = text;
  step.single = flag;
  if (kind == Kind::kScan) {
    step.rules.family = family;
    step.rules.max_digits = number;
    step.rules.contractions = flag;
    step.rules.joins_last_space = family == Family::kCl100k && flag;
  } else if (kind == Kind::kMetaspace || kind == Kind::kLiteral) {
    if (number < 0 || number > 3 || text.empty()) {
      throw Error(ErrorCode::kConfig,
                  "splitter '" + name + "' has a setting that it does not know");
    }
    if (kind == Kind::kMetaspace) {
      step.scheme = static_cast<SplitStep::Scheme>(std::min(number, 2));
      step.behaviour = SplitStep::Behaviour::kWithNext;
    } else {
      step.behaviour = static_cast<SplitStep::Behaviour>(number);
    }
  }
  return step;
}

DecoderRules make_decoder(const std::string& kind, const std::vector<StepSpec>& replacements,
                          const std::string& text, int count, bool flag) {
  using Kind = DecoderRules::Kind;
  static const std::unordered_map<std::string, Kind> kinds = {
      {"join", Kind::kJoin},           {"byte_level", Kind::kByteLevel},
      {"fallback", Kind::kFallback},   {"wordpiece", Kind::kWordPiece},
      {"metaspace", Kind::kMetaspace},
  };
  DecoderRules rules;
  rules.kind = named(kinds, kind, "decoder");
  for (const auto& [name, from, to] : replacements) rules.replacements.emplace_back(from, to);
  rules.byte_fallback = rules.cleans_up = rules.drops_first = flag;
  (rules.kind == Kind::kFallback ? rules.strip : rules.prefix) = text;
  rules.strip_count = static_cast<std::size_t>(std::max(count, 0));
  return rules;
}

}  // namespace

std::shared_ptr<Tokenizer> make_tokenizer(const std::string& model,
                                          const std::vector<std::optional<std::string>>& tokens,
                                          const Merges& merges, const py::dict& options,
                                          const std::vector<StepSpec>& normalizer,
                                          const std::vector<SplitSpec>& splitter,
                                          const std::vector<AddedSpec>& added,
                                          const DecoderSpec& decoder) {
  const auto option = [&](const char* name, auto otherwise) {
    return options.contains(name) ? options[name].cast<decltype(otherwise)>() : otherwise;
  };
  auto vocabulary = std::make_shared<const Vocabulary>(tokens);
  std::vector<AddedToken> added_tokens;
  std::unordered_set<TokenId> special_ids;
  for (const auto& [id, content, special, normalized, single, left, right] : added) {
    added_tokens.push_back({id, content, special, normalized, single, left, right});
    if (special) special_ids.insert(id);
  }
  const TokenId unknown = option("unknown", kNoToken);
  if (unknown != kNoToken && !vocabulary->contains(unknown)) {
    throw Error(ErrorCode::kCorruptData,
                "the unknown token's id " + std::to_string(unknown) + " is of no token");
  }
  std::unique_ptr<const Model> engine;
  if (model == "bpe") {
    engine = std::make_unique<Bpe>(
        vocabulary, merges, std::move(special_ids),
        BpeOptions{option("byte_level", false), option("byte_fallback", false),
                   option("whole_words", false), option("rank_by_result", false),
                   option("fuse_unknown", false), unknown});
  } else if (model == "wordpiece") {
    engine =
        std::make_unique<WordPiece>(vocabulary, std::move(special_ids),
                                    WordPieceOptions{unknown, option("prefix", std::string("##")),
                                                     option("max_word_chars", std::size_t{100})});
  } else {
    throw Error(ErrorCode::kConfig, "unknown tokenizer model '" + model + "'");
  }
  std::vector<SplitStep> steps;
  for (const SplitSpec& spec : splitter) steps.push_back(split_step(spec));
  return std::make_shared<Tokenizer>(
      std::move(vocabulary), std::move(engine), make_normalizer(normalizer),
      Splitter(std::move(steps)), added_tokens,
      std::apply([](const auto&... part) { return make_decoder(part...); }, decoder));
}

}  // namespace astraweave::bindings
