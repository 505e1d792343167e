// What is done to a text before it is split: a list of steps, each from text to text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace astraweave::tokens {

struct NormalizerStep {
  enum class Kind {
    kCleanText,  // BERT: drop control characters, turn every blank into a space
    kSpaceCjk,   // BERT: a space on either side of an ideograph
    kLowercase,  // character by character, without context
    kNfc,
    kNfd,
    kStripBertAccents,  // BERT: drop nonspacing marks, after NFD
    kStripAccents,      // drop marks; NFD comes before where it is wanted
    kPrepend,           // `to`, unless the text is empty
    kReplace,           // each `from` by `to`
  };
  Kind kind;
  std::string from, to;
};

class Normalizer {
 public:
  // Throws Error(kCorruptData) for a text that is not UTF-8.
  explicit Normalizer(std::vector<NormalizerStep> steps);
  bool empty() const noexcept { return steps_.empty(); }
  const std::vector<NormalizerStep>& steps() const noexcept { return steps_; }
  // Returns `text` itself where nothing is to be done, else a view of `buffer`. What goes before a
  // text (kPrepend) does not go before one that continues another.
  std::string_view apply(std::string_view text, std::string& buffer, bool continues = false) const;

 private:
  std::vector<NormalizerStep> steps_;
};

std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

}  // namespace astraweave::tokens
