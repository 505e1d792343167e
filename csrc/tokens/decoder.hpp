// From tokens back to text, one token at a time and never half a character.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace astraweave::tokens {

struct DecoderRules {
  enum class Kind {
    kJoin,       // tokens with a space between
    kByteLevel,  // GPT-2's alphabet
    kFallback,   // `replacements`, then runs of <0xXX> as bytes, then `strip`
    kWordPiece,  // a space before every token that has no `prefix`
    kMetaspace,  // `prefix` is a space, and nothing in the first token where `drops_first`
  };
  Kind kind = Kind::kJoin;
  std::vector<std::pair<std::string, std::string>> replacements;
  bool byte_fallback = false;
  std::string strip;  // taken from the start of the text, `strip_count` times at most
  std::size_t strip_count = 0;
  std::string prefix;
  bool cleans_up = false;  // WordPiece: no space before punctuation
  bool drops_first = false;
};

// Broken bytes become U+FFFD exactly where decoding all tokens at once would put it. Byte tokens
// of kFallback are judged a run at a time, as the published decoders do (one broken byte breaks the
// run), so that such a run comes out when it has ended.
class TextDecoder {
 public:
  explicit TextDecoder(const DecoderRules& rules)
      : rules_(&rules), strips_left_(rules.strip_count) {}

  // Appends what is certain after this token.
  void push(std::string_view token, std::string& out);
  // Appends what was held back, and starts anew.
  void flush(std::string& out);

 private:
  void push_fallback(std::string_view token, std::string& out);
  void end_byte_run(std::string& out);
  void emit(std::string_view text, std::string& out);

  const DecoderRules* rules_;
  std::string held_;  // bytes of a character, or of a run of byte tokens
  bool is_first_ = true;
  std::size_t strips_left_;
};

}  // namespace astraweave::tokens
