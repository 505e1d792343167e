#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bindings/bindings.hpp"
#include "error.hpp"
#include "tokens/bpe.hpp"
#include "tokens/tokenizer.hpp"
#include "tokens/unicode.hpp"
#include "tokens/wordpiece.hpp"

namespace astraweave::bindings {
namespace {

using namespace tokens;  // NOLINT(google-build-using-namespace): the engine that is bound here

using StepSpec = std::tuple<std::string, std::string, std::string>;  // kind, from, to
using SplitSpec = std::tuple<std::string, std::string, int, bool>;   // see split_step
using AddedSpec = std::tuple<TokenId, std::string, bool, bool, bool, bool, bool>;
using Merges = std::vector<std::pair<std::string, std::string>>;

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

std::shared_ptr<Tokenizer> make_tokenizer(
    const std::string& model, const std::vector<std::optional<std::string>>& tokens,
    const Merges& merges, const py::dict& options, const std::vector<StepSpec>& normalizer,
    const std::vector<SplitSpec>& splitter, const std::vector<AddedSpec>& added,
    const std::tuple<std::string, std::vector<StepSpec>, std::string, int, bool>& decoder) {
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

// A str as valid UTF-8: the string's own bytes, or a copy with U+FFFD for lone surrogates.
class Utf8Text {
 public:
  explicit Utf8Text(const py::str& text) {
    Py_ssize_t size = 0;
    if (const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size)) {
      view_ = {data, static_cast<std::size_t>(size)};
      return;
    }
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) throw py::error_already_set();
    PyErr_Clear();
    const auto bytes = py::reinterpret_steal<py::bytes>(
        PyUnicode_AsEncodedString(text.ptr(), "utf-8", "surrogatepass"));
    if (!bytes) throw py::error_already_set();
    copy_ = std::string(bytes);
    for (std::size_t at = 0; at + 2 < copy_.size(); ++at) {
      const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(copy_[at + i]); };
      if (byte(0) == 0xED && byte(1) >= 0xA0) copy_.replace(at, 3, "\xEF\xBF\xBD");
    }
    view_ = copy_;
  }
  Utf8Text(const Utf8Text&) = delete;
  Utf8Text& operator=(const Utf8Text&) = delete;
  std::string_view view() const noexcept { return view_; }

 private:
  std::string copy_;
  std::string_view view_;
};

std::vector<TokenId> encode_text(const Tokenizer& tokenizer, const py::str& text, bool special) {
  const Utf8Text utf8(text);
  std::vector<TokenId> ids;
  const py::gil_scoped_release release;
  tokenizer.encode(utf8.view(), special, ids);
  return ids;
}

py::list encode(const Tokenizer& tokenizer, const py::str& text, bool special) {
  const std::vector<TokenId> ids = encode_text(tokenizer, text, special);
  py::list out(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) out[i] = py::int_(ids[i]);
  return out;
}

std::string decode(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool skip_special) {
  const py::gil_scoped_release release;
  return tokenizer.decode(ids, skip_special);
}

}  // namespace

void bind_tokens(py::module_& module) {
  py::class_<Tokenizer, std::shared_ptr<Tokenizer>>(module, "Tokenizer")
      .def(py::init(&make_tokenizer), py::kw_only(), py::arg("model"), py::arg("tokens"),
           py::arg("merges"), py::arg("options"), py::arg("normalizer"), py::arg("splitter"),
           py::arg("added"), py::arg("decoder"))
      .def("encode", &encode, py::arg("text"), py::arg("special"))
      .def(
          "count",
          [](const Tokenizer& self, const py::str& text, bool special) {
            return encode_text(self, text, special).size();
          },
          py::arg("text"), py::arg("special"))
      .def("decode", &decode, py::arg("ids"), py::arg("skip_special"))
      .def(
          "token_to_id",
          [](const Tokenizer& self, const std::string& token) -> std::optional<TokenId> {
            const TokenId id = self.vocabulary().id(token);
            return id == kNoToken ? std::nullopt : std::optional(id);
          },
          py::arg("token"))
      .def(
          "id_to_token",
          [](const Tokenizer& self, TokenId id) { return std::string(self.checked_token(id)); },
          py::arg("token_id"))
      .def("__len__", [](const Tokenizer& self) { return self.vocabulary().size(); });
  py::class_<StreamDecoder>(module, "StreamDecoder")
      .def(py::init([](std::shared_ptr<Tokenizer> tokenizer, bool skip_special) {
             return std::make_unique<StreamDecoder>(std::move(tokenizer), skip_special);
           }),
           py::arg("tokenizer"), py::kw_only(), py::arg("skip_special"))
      .def("push", &StreamDecoder::push, py::arg("token_id"))
      .def("flush", &StreamDecoder::flush);
}

}  // namespace astraweave::bindings
