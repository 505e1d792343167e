#include "tokens/cuts.hpp"

#include <algorithm>

#include "tokens/unicode.hpp"

namespace astraweave::tokens {
namespace {

bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_alphanumeric(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
bool continues_character(char c) noexcept { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

char32_t character_before(std::string_view text, std::size_t at) noexcept {
  do {
    --at;
  } while (continues_character(text[at]));
  const char* start = text.data() + at;
  return decode_utf8(start);
}

bool ends_word(std::string_view text, std::size_t at) noexcept {
  constexpr int kInWord = kLetter | kNumber | kNumeric | kUpperish | kLowerish;
  if (text[at] == '\'' || continues_character(text[at])) return false;
  const char* start = text.data() + at;
  return !has(decode_utf8(start), kInWord) && has(character_before(text, at), kLetter | kNumber);
}

}  // namespace

Cuts::Cuts(const Normalizer& normalizer, const Splitter& splitter,
           const std::vector<AddedToken>& added, const Model& model)
    : model_(&model) {
  const auto& steps = splitter.steps();
  only_spaces_ = std::any_of(steps.begin(), steps.end(), [](const SplitStep& step) {
    return step.kind == SplitStep::Kind::kPrefixSpace || step.kind == SplitStep::Kind::kMetaspace;
  });
  kind_ = kind_of(normalizer, splitter);
  if (kind_ == Kind::kWhereApart) {
    for (const char space : {' ', '\t', '\n', '\r'}) {
      std::string buffer;
      becomes_[static_cast<unsigned char>(space)] =
          std::string(normalizer.apply({&space, 1}, buffer, true));
    }
    for (const SplitStep& step : steps) {
      if (step.kind == SplitStep::Kind::kMetaspace) becomes_[' '] = step.text;
    }
  }
  if (kind_ == Kind::kAtWordEnds && !spares_all(added, normalizer)) kind_ = Kind::kAtSpaces;
  if (!spares_all(added, normalizer)) kind_ = Kind::kNowhere;
}

// Whether no added token reaches across a place where a text is cut, or asks what lies there.
bool Cuts::spares_all(const std::vector<AddedToken>& added, const Normalizer& normalizer) const {
  return std::all_of(added.begin(), added.end(), [&](const AddedToken& token) {
    std::string buffer;
    return !token.single_word && !token.strips_right && spares(token.content) &&
           (!token.normalized || spares(normalizer.apply(token.content, buffer, true)));
  });
}

Cuts::Kind Cuts::kind_of(const Normalizer& normalizer, const Splitter& splitter) const {
  using Step = NormalizerStep::Kind;
  using Cut = SplitStep::Kind;
  bool replaces = false, is_plain = true;
  for (const NormalizerStep& step : normalizer.steps()) {
    const bool one_symbol = step.from.size() == 1 && !is_alphanumeric(step.from[0]) &&
                            static_cast<signed char>(step.from[0]) >= 0;
    if (step.kind == Step::kReplace && !one_symbol) return Kind::kNowhere;
    replaces |= step.kind == Step::kReplace;
    is_plain &= step.kind == Step::kNfc;
  }
  const auto& steps = splitter.steps();
  const auto every = [&](auto&& what) { return std::all_of(steps.begin(), steps.end(), what); };
  if (splitter.piece_rules() && is_plain) return Kind::kAtWordEnds;
  const bool scans = !steps.empty() && every([](const SplitStep& step) {
    return step.kind == Cut::kScan || step.kind == Cut::kDigits || step.kind == Cut::kBert ||
           step.kind == Cut::kWhitespace || step.kind == Cut::kPrefixSpace;
  });
  const bool ends_words =
      !steps.empty() && steps.back().kind != Cut::kDigits && steps.back().kind != Cut::kPrefixSpace;
  if (scans && ends_words && !replaces) return Kind::kAtSpaces;
  const bool is_metaspace = steps.size() == 1 && steps[0].kind == Cut::kMetaspace;
  if (is_metaspace && steps[0].single && normalizer.empty()) return Kind::kAtSpaces;
  const bool is_whole = every([&](const SplitStep& step) {
    return step.kind == Cut::kLiteral && step.text == " " && replaces;
  });
  const bool by_character = std::all_of(
      normalizer.steps().begin(), normalizer.steps().end(), [](const NormalizerStep& step) {
        return step.kind == Step::kReplace || step.kind == Step::kPrepend;
      });
  if ((is_whole || (is_metaspace && normalizer.empty())) && by_character) return Kind::kWhereApart;
  return Kind::kNowhere;
}

bool Cuts::spares(std::string_view content) const {
  for (std::size_t at = 1; at < content.size(); ++at) {
    const bool becomes_space = content.substr(at).starts_with("\xE2\x96\x81");
    const bool in_word =
        is_alphanumeric(content[at - 1]) || static_cast<signed char>(content[at - 1]) < 0;
    if (kind_ == Kind::kAtWordEnds ? ends_word(content, at)
                                   : in_word && (is_space(content[at]) || becomes_space)) {
      return false;
    }
  }
  return true;
}

bool Cuts::may_cut(std::string_view text, std::size_t at) const {
  if (kind_ == Kind::kAtWordEnds) return ends_word(text, at);
  if (!is_space(text[at]) || (only_spaces_ && text[at] != ' ')) return false;
  if (kind_ == Kind::kAtSpaces) return is_alphanumeric(text[at - 1]);
  const bool is_ascii = static_cast<signed char>(text[at - 1]) >= 0;
  if (is_ascii && !is_alphanumeric(text[at - 1])) return false;  // it may be replaced
  return model_->never_joins(text.substr(0, at), becomes_[static_cast<unsigned char>(text[at])]);
}

std::size_t Cuts::last(std::string_view text, std::size_t first) const {
  if (kind_ == Kind::kNowhere) return std::string_view::npos;
  for (std::size_t at = text.size(); at-- > std::max<std::size_t>(first, 1);) {
    if (may_cut(text, at)) return at;
  }
  return std::string_view::npos;
}

std::size_t Cuts::next(std::string_view text, std::size_t first) const {
  if (kind_ == Kind::kNowhere) return std::string_view::npos;
  for (std::size_t at = std::max<std::size_t>(first, 1); at < text.size(); ++at) {
    if (may_cut(text, at)) return at;
  }
  return std::string_view::npos;
}

}  // namespace astraweave::tokens
