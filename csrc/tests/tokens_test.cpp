#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

#include "error.hpp"
#include "tests/check.hpp"
#include "tokens/appender.hpp"
#include "tokens/bpe.hpp"
#include "tokens/byte_alphabet.hpp"
#include "tokens/count_many.hpp"
#include "tokens/pieces.hpp"
#include "tokens/tokenizer.hpp"
#include "tokens/truncate.hpp"
#include "tokens/unicode.hpp"
#include "tokens/wordpiece.hpp"

namespace astraweave::tests {
namespace {

using namespace tokens;  // NOLINT(google-build-using-namespace): the engine under test

using Tokens = std::vector<std::optional<std::string>>;
using Merges = std::vector<std::pair<std::string, std::string>>;
using Ids = std::vector<TokenId>;

// Texts that a player, or somebody who is none, may write: pieces of all sorts, and raw bytes that
// were made valid as the bindings would.
std::string hostile_text(std::mt19937& engine, std::size_t pieces) {
  static const std::vector<std::string> kPieces = {
      "a",
      "b",
      "ab",
      "abab",
      " ",
      "  ",
      "\n",
      "\r\n",
      "\t",
      "'s",
      "'LL",
      "'\xC5\xBF",
      "don't",
      "123456789",
      "<s>",
      "<s",
      "</s>",
      "[UNK]",
      "##",
      "/",
      "//\n",
      "\xC3\xA9",
      "e\xCC\x81",
      "\xE4\xBD\xA0",
      "\xEA\xB0\x80",
      "\xF0\x9F\x98\x80",
      "\xE2\x80\x8D",
      "\xC4\xB0",
      "\xEF\xBF\xBD",
      "\xE2\x96\x81",
      "\xCC\x81\xCC\xA7",
      "\xC2\xA0",
      "\xF4\x8F\xBF\xBF",
  };
  std::string raw;
  for (std::size_t i = 0; i < pieces; ++i) {
    if (engine() % 5 == 0) {
      raw += static_cast<char>(engine());
    } else {
      raw += kPieces[engine() % kPieces.size()];
    }
  }
  std::string text;
  append_valid_utf8(raw, true, text);
  return text;
}

Tokens byte_level_tokens(const Merges& merges) {
  Tokens tokens(byte_characters().begin(), byte_characters().end());
  for (const auto& [left, right] : merges) tokens.emplace_back(left + right);
  tokens.emplace_back("<s>");
  return tokens;
}

const Merges kMerges = {{"a", "b"}, {"ab", "ab"}, {"\xC4\xA0", "a"}, {"1", "2"}, {"12", "3"}};

std::shared_ptr<const Tokenizer> byte_level(std::vector<SplitStep> split) {
  auto vocabulary = std::make_shared<const Vocabulary>(byte_level_tokens(kMerges));
  const TokenId control = vocabulary->id("<s>");
  auto model = std::make_unique<Bpe>(vocabulary, kMerges, std::unordered_set<TokenId>{control},
                                     BpeOptions{.byte_level = true});
  return std::make_shared<const Tokenizer>(
      vocabulary, std::move(model), Normalizer({}), Splitter(std::move(split)),
      std::vector<AddedToken>{{.id = control, .content = "<s>", .special = true}},
      DecoderRules{.kind = DecoderRules::Kind::kByteLevel});
}

SplitStep scanner(ScanRules::Family family, int digits = 3, bool contractions = true,
                  bool joins_last_space = false) {
  return {.rules = {family, digits, contractions, joins_last_space}};
}

std::string streamed(const std::shared_ptr<const Tokenizer>& tokenizer, const Ids& ids,
                     bool skip_special) {
  StreamDecoder decoder(tokenizer, skip_special);
  std::string out;
  for (const TokenId id : ids) {
    const std::string part = decoder.push(id);
    CHECK(is_valid_utf8(part));
    out += part;
  }
  return out + decoder.flush();
}

void the_lowest_merge_comes_first() {
  const auto tokenizer = byte_level({scanner(ScanRules::Family::kGpt2)});
  Ids ids;
  tokenizer->encode("ababab 123", false, ids);
  const Vocabulary& vocabulary = tokenizer->vocabulary();
  CHECK((ids == Ids{vocabulary.id("abab"), vocabulary.id("ab"), vocabulary.id("\xC4\xA0"),
                    vocabulary.id("123")}));
  CHECK(tokenizer->decode(ids, true) == "ababab 123");
}

// Every scanner: pieces join to the text, and the tokens come back as what they were made of.
void byte_level_loses_nothing() {
  std::vector<std::vector<SplitStep>> roads = {{}};
  for (const auto family :
       {ScanRules::Family::kGpt2, ScanRules::Family::kCl100k, ScanRules::Family::kO200k}) {
    roads.push_back({scanner(family, 1, false)});
    roads.push_back({scanner(family, 3, true, family == ScanRules::Family::kCl100k)});
    roads.push_back({{.kind = SplitStep::Kind::kDigits, .single = true}, scanner(family)});
  }
  std::mt19937 engine(7);
  for (const auto& road : roads) {
    const auto tokenizer = byte_level(road);
    for (int turn = 0; turn < 300; ++turn) {
      const std::string text = hostile_text(engine, engine() % 60);
      Ids plain, special;
      tokenizer->encode(text, false, plain);
      tokenizer->encode(text, true, special);
      for (const TokenId id : plain) CHECK(!tokenizer->is_special(id));
      CHECK(tokenizer->decode(plain, true) == text);
      CHECK(tokenizer->decode(special, false) == text);
      CHECK(streamed(tokenizer, plain, true) == text);
      CHECK(tokenizer->count(text, false) == plain.size());
      CHECK(tokenizer->count(text, true) == special.size());
    }
  }
}

// The formula over bit masks against the scanner: texts of all that it treats in its own way, with
// its window's ends at every place.
void pieces_are_those_of_the_scanner() {
  static const std::vector<std::string> kParts = {
      "a",
      "Word",
      "word",
      " ",
      "  ",
      "\n",
      "\t",
      "1",
      "12",
      "6789",
      "'",
      "'s",
      "'re",
      "'LL",
      "'t",
      "(",
      "...",
      ", ",
      "X",
      "\xC3\xA9",
      "\xC5\xBF",
      "/",
      "camelCase",
      "\r\n",
      " '",
      "HTTP",
      "'\xC5\xBF",
      "\xC2\xB2",
      // Cased and caseless letters, marks, signs, numerals and spaces of two to four bytes.
      "\xC3\x89",
      "\xC7\x85",
      "\xD0\x9F\xD1\x80",
      "\xE4\xB8\xAD",
      "\xE4\xB8\x80",
      "\xE0\xA4\xB9",
      "\xCC\x81",
      "\xE0\xA4\xBF",
      "\xCA\xB0",
      "\xE2\x80\x9C",
      "\xE3\x80\x82",
      "\xF0\x9F\x98\x80",
      "\xF0\x90\x90\x80",
      "\xF0\x90\x90\xA8",
      "\xE2\x80\x8D",
      "\xE2\x85\xA3",
      "\xC2\xA0",
      "\xE3\x80\x80",
  };
  using Family = ScanRules::Family;
  std::mt19937 engine(31);
  for (int turn = 0; turn < 4000; ++turn) {
    std::string text;
    for (std::size_t i = engine() % (turn % 50 == 0 ? 4000 : 60); i > 0; --i)
      text += kParts[engine() % kParts.size()];
    const auto family = static_cast<Family>(turn % 3);
    const ScanRules rules{family, 1 + static_cast<int>(engine() % 4), engine() % 2 == 0,
                          family == Family::kCl100k && engine() % 2 == 0};
    std::vector<SplitStep> steps = {{.rules = rules}};
    const auto cut = static_cast<DigitCut>(engine() % 3);
    if (cut != DigitCut::kNone) {
      const bool single = cut == DigitCut::kSingle;
      steps.insert(steps.begin(), {.kind = SplitStep::Kind::kDigits, .single = single});
    }
    std::vector<std::string> expected, found;
    Splitter(steps).split(text, true,
                          [&](std::string_view piece) { expected.emplace_back(piece); });
    const PieceRules piece_rules(rules, cut);
    PieceFinder finder(piece_rules, text);
    std::vector<std::uint32_t> ends(PieceFinder::kMostAtOnce + engine() % 90);
    std::size_t at = 0;
    while (const std::size_t many = finder.next(ends.data(), ends.size())) {
      for (std::size_t i = 0; i < many; at = ends[i++])
        found.push_back(text.substr(at, ends[i] - at));
    }
    CHECK(found == expected);
  }
}

// Every way to count, append and truncate against the tokens themselves.
void counting_is_encoding() {
  const std::vector<std::vector<SplitStep>> roads = {
      {},
      {scanner(ScanRules::Family::kGpt2)},
      {scanner(ScanRules::Family::kCl100k, 3, true, true)},
      {scanner(ScanRules::Family::kO200k)},
      {{.kind = SplitStep::Kind::kDigits, .single = true}, scanner(ScanRules::Family::kGpt2)},
      {{.kind = SplitStep::Kind::kPrefixSpace}, scanner(ScanRules::Family::kGpt2)},
      {{.kind = SplitStep::Kind::kWhitespace}},
  };
  std::mt19937 engine(37);
  for (const auto& road : roads) {
    const auto tokenizer = byte_level(road);
    for (int turn = 0; turn < 150; ++turn) {
      const bool special = turn % 2 == 0;
      const auto length = [&](std::string_view text) {
        Ids ids;
        tokenizer->encode(text, special, ids);
        return ids.size();
      };
      Appender appender(tokenizer, special);
      std::string so_far;
      std::vector<std::string> texts;
      for (std::size_t i = engine() % 8; i > 0; --i) {
        texts.push_back(hostile_text(engine, engine() % 12));
        so_far += texts.back();
        CHECK(appender.append(texts.back()) == length(so_far));
        CHECK(appender.total() == length(so_far));
      }
      const std::vector<std::string_view> views(texts.begin(), texts.end());
      const auto counts = count_many(*tokenizer, views, special, 3);
      for (std::size_t i = 0; i < texts.size(); ++i) CHECK(counts[i] == length(texts[i]));
      const std::size_t most = engine() % 30;
      const std::string_view start = keep_start(tokenizer, so_far, most, special);
      const std::string_view end = keep_end(*tokenizer, so_far, most, special);
      CHECK(is_valid_utf8(start) && is_valid_utf8(end));
      CHECK(so_far.starts_with(start) && so_far.ends_with(end));
      CHECK(length(start) <= most && length(end) <= most);
      CHECK(length(so_far) > most || (start == so_far && end == so_far));
    }
  }
}

// Pieces long enough for the merge in linear time: each token beside the next as fact 2 demands.
void very_long_pieces_merge_as_short_ones_do() {
  const auto tokenizer = byte_level({});
  for (const std::string unit : {"a", "ab", "abab1", "aba", "b12", "123a", "x"}) {
    std::string text;
    while (text.size() < 9000) text += unit;
    Ids whole;
    tokenizer->encode(text, false, whole);
    CHECK(tokenizer->decode(whole, false) == text);
    CHECK(tokenizer->count(text, false) == whole.size());
    for (std::size_t i = 0; i + 12 < whole.size(); i += 7) {
      const Ids stretch(whole.begin() + static_cast<long>(i),
                        whole.begin() + static_cast<long>(i) + 12);
      Ids again;
      tokenizer->encode(tokenizer->decode(stretch, false), false, again);
      CHECK(again == stretch);
    }
  }
}

// The two ways to merge, by blocks and by heap, have to agree: the heap starts at 1,025 symbols.
void long_pieces_merge_as_short_ones_do() {
  const auto tokenizer = byte_level({});
  std::mt19937 engine(13);
  for (int turn = 0; turn < 200; ++turn) {
    std::string text;
    for (std::size_t i = engine() % (turn % 10 == 0 ? 3000 : 90); i > 0; --i)
      text += "ab12 3x"[engine() % 7];
    Ids whole, parts;
    tokenizer->encode(text, false, whole);
    // 'x' takes part in no merge, so cutting there changes nothing.
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t stop = std::min(text.find('x', at), text.size() - 1) + 1;
      tokenizer->encode(text.substr(at, stop - at), false, parts);
      at = stop;
    }
    CHECK(whole == parts);
  }
}

void any_ids_decode_to_valid_text() {
  std::mt19937 engine(17);
  Tokens tokens = byte_level_tokens(kMerges);
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", byte);
    tokens.emplace_back(name);
  }
  for (const char* token : {"\xE2\x96\x81", "\xE2\x96\x81the", "##s", "n't", " .", "do", "not"}) {
    tokens.emplace_back(token);
  }
  tokens.emplace_back(std::nullopt);
  using Kind = DecoderRules::Kind;
  const std::vector<DecoderRules> rules = {
      {.kind = Kind::kJoin},
      {.kind = Kind::kByteLevel},
      {.kind = Kind::kFallback,
       .replacements = {{"\xE2\x96\x81", " "}, {"", "never"}},
       .byte_fallback = true,
       .strip = " ",
       .strip_count = 1},
      {.kind = Kind::kFallback, .strip = "", .strip_count = std::size_t{1} << 62},
      {.kind = Kind::kWordPiece, .prefix = "##", .cleans_up = true},
      {.kind = Kind::kMetaspace, .prefix = "\xE2\x96\x81", .drops_first = true},
      {.kind = Kind::kMetaspace},
  };
  const auto missing = static_cast<TokenId>(tokens.size() - 1);
  for (const DecoderRules& rule : rules) {
    auto vocabulary = std::make_shared<const Vocabulary>(tokens);
    const auto tokenizer = std::make_shared<const Tokenizer>(
        vocabulary,
        std::make_unique<Bpe>(vocabulary, Merges{}, std::unordered_set<TokenId>{}, BpeOptions{}),
        Normalizer({}), Splitter({}),
        std::vector<AddedToken>{{.id = vocabulary->id("<s>"), .content = "<s>", .special = true}},
        rule);
    for (int turn = 0; turn < 200; ++turn) {
      Ids ids(engine() % 40);
      for (TokenId& id : ids) id = static_cast<TokenId>(engine() % (tokens.size() - 1));
      const std::string text = tokenizer->decode(ids, turn % 2 == 0);
      CHECK(is_valid_utf8(text));
      CHECK(streamed(tokenizer, ids, turn % 2 == 0) == text);
    }
    for (const TokenId none : {missing, missing + 1, kNoToken, INT32_MIN, INT32_MAX}) {
      CHECK_THROWS(tokenizer->decode(std::vector{none}, true), kInput);
      CHECK_THROWS(StreamDecoder(tokenizer, true).push(none), kInput);
    }
  }
}

void word_pieces_are_the_longest() {
  const Tokens tokens = {"[UNK]", "play", "##ing", "##in", "##g", "p", "\xC3\xA9", "##\xC3\xA9"};
  auto vocabulary = std::make_shared<const Vocabulary>(tokens);
  const WordPiece model(vocabulary, {0}, {.unknown = 0, .max_word_chars = 12});
  const auto encoded = [&](std::string_view word) {
    Ids ids;
    model.encode(word, ids);
    return ids;
  };
  CHECK((encoded("playing") == Ids{1, 2}));
  CHECK((encoded("playin") == Ids{1, 3}));
  CHECK((encoded("play\xC3\xA9\xC3\xA9") == Ids{1, 7, 7}));
  CHECK((encoded("played") == Ids{0}));
  CHECK((encoded("[UNK]") == Ids{0}));  // as unknown, not as the control token of that name
  CHECK((encoded("playinginging") == Ids{0}));
  CHECK(encoded("").empty());
  const WordPiece silent(vocabulary, {}, {});
  Ids none;
  silent.encode("zzz", none);
  CHECK(none.empty());
}

// Every step and splitter over hostile text, with added tokens of every sort; nothing may be read
// that is not there (the sanitizers see to that), and no token may come from nowhere.
void every_road_stays_within_its_text() {
  using Step = NormalizerStep::Kind;
  using Cut = SplitStep::Kind;
  std::mt19937 engine(23);
  Tokens tokens = {"<unk>", "<s>", "</s>", "don't", "ab", "\xC3\xA9", "e\xCC\x81", "\xE2\x96\x81"};
  for (char c = ' '; c < 127; ++c) {
    if (c != '\0') tokens.emplace_back(std::string(1, c));
  }
  const std::vector<Step> steps = {Step::kCleanText,    Step::kSpaceCjk, Step::kLowercase,
                                   Step::kNfc,          Step::kNfd,      Step::kStripBertAccents,
                                   Step::kStripAccents, Step::kPrepend,  Step::kReplace};
  const std::vector<Cut> cuts = {Cut::kScan,        Cut::kDigits,    Cut::kBert,   Cut::kWhitespace,
                                 Cut::kPrefixSpace, Cut::kMetaspace, Cut::kLiteral};
  for (int turn = 0; turn < 600; ++turn) {
    std::vector<NormalizerStep> normal;
    for (std::size_t i = engine() % 4; i > 0; --i) {
      normal.push_back({steps[engine() % steps.size()], " ", "\xE2\x96\x81"});
    }
    std::vector<SplitStep> split;
    for (std::size_t i = engine() % 3; i > 0; --i) {
      SplitStep step{.kind = cuts[engine() % cuts.size()], .single = engine() % 2 == 0};
      step.rules.family = static_cast<ScanRules::Family>(engine() % 3);
      step.rules.contractions = engine() % 2 == 0;
      step.scheme = static_cast<SplitStep::Scheme>(engine() % 3);
      step.behaviour = static_cast<SplitStep::Behaviour>(engine() % 4);
      step.text = engine() % 2 == 0 ? "\xE2\x96\x81" : "ab";
      split.push_back(step);
    }
    std::vector<AddedToken> added;
    std::unordered_set<TokenId> control;
    for (TokenId id = 1; id < 5; ++id) {
      added.push_back({.id = id,
                       .content = *tokens[static_cast<std::size_t>(id)],
                       .special = engine() % 2 == 0,
                       .normalized = engine() % 2 == 0,
                       .single_word = engine() % 2 == 0,
                       .strips_left = engine() % 2 == 0,
                       .strips_right = engine() % 2 == 0});
      if (added.back().special) control.insert(id);
    }
    auto vocabulary = std::make_shared<const Vocabulary>(tokens);
    std::unique_ptr<const Model> model;
    if (turn % 2 == 0) {
      model = std::make_unique<Bpe>(vocabulary, Merges{{"a", "b"}}, control,
                                    BpeOptions{.byte_fallback = engine() % 2 == 0,
                                               .whole_words = engine() % 2 == 0,
                                               .fuse_unknown = engine() % 2 == 0,
                                               .unknown = 0});
    } else {
      model = std::make_unique<WordPiece>(vocabulary, control, WordPieceOptions{.unknown = 0});
    }
    const Tokenizer tokenizer(vocabulary, std::move(model), Normalizer(std::move(normal)),
                              Splitter(std::move(split)), added, {});
    for (int text = 0; text < 6; ++text) {
      Ids ids;
      tokenizer.encode(hostile_text(engine, engine() % 30), text % 2 == 0, ids);
      for (const TokenId id : ids) {
        CHECK(vocabulary->contains(id));
        CHECK(text % 2 == 0 || !tokenizer.is_special(id));
      }
    }
  }
}

void damaged_parts_are_refused() {
  const std::string broken = "\xE4\xBD";  // a character that was cut
  CHECK_THROWS(Vocabulary({"a", "a"}), kCorruptData);
  CHECK_THROWS(Vocabulary({"a", broken}), kCorruptData);
  auto vocabulary = std::make_shared<const Vocabulary>(Tokens{"a", "b"});
  CHECK_THROWS(Bpe(vocabulary, {{"a", "b"}}, {}, {}), kCorruptData);
  CHECK_THROWS(Normalizer({{NormalizerStep::Kind::kPrepend, "", broken}}), kCorruptData);
  CHECK_THROWS(Splitter({{.kind = SplitStep::Kind::kLiteral, .text = broken}}), kCorruptData);
  CHECK_THROWS(Splitter({{.kind = SplitStep::Kind::kLiteral}}), kConfig);
  CHECK_THROWS(Splitter({{.kind = SplitStep::Kind::kMetaspace}}), kConfig);
  CHECK_THROWS(Splitter({scanner(ScanRules::Family::kCl100k, 0)}), kConfig);  // would never end
  const auto with = [&](const std::vector<AddedToken>& added, DecoderRules rules) {
    return Tokenizer(
        vocabulary,
        std::make_unique<Bpe>(vocabulary, Merges{}, std::unordered_set<TokenId>{}, BpeOptions{}),
        Normalizer({}), Splitter({}), added, std::move(rules));
  };
  for (const bool normalized : {false, true}) {
    CHECK_THROWS(with({{.id = 0, .content = broken, .normalized = normalized}}, {}), kCorruptData);
  }
  CHECK_THROWS(with({{.id = 2, .content = "c"}}, {}), kCorruptData);
  CHECK_THROWS(with({}, {.kind = DecoderRules::Kind::kMetaspace, .prefix = broken}), kCorruptData);
  CHECK_THROWS(with({}, {.kind = DecoderRules::Kind::kFallback, .strip = broken}), kCorruptData);
  CHECK_THROWS(with({}, {.kind = DecoderRules::Kind::kFallback, .replacements = {{"a", broken}}}),
               kCorruptData);
}

}  // namespace

void run_tokens_tests() {
  the_lowest_merge_comes_first();
  byte_level_loses_nothing();
  pieces_are_those_of_the_scanner();
  counting_is_encoding();
  very_long_pieces_merge_as_short_ones_do();
  long_pieces_merge_as_short_ones_do();
  any_ids_decode_to_valid_text();
  word_pieces_are_the_longest();
  every_road_stays_within_its_text();
  damaged_parts_are_refused();
}

}  // namespace astraweave::tests
