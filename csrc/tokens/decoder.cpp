#include "tokens/decoder.hpp"

#include <array>

#include "tokens/byte_alphabet.hpp"
#include "tokens/normalizer.hpp"
#include "tokens/unicode.hpp"

namespace astraweave::tokens {
namespace {

// <0xXX>; -1 for any other token.
int byte_of(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

std::string cleaned_up(std::string text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kRules = {{
      {" .", "."},
      {" ?", "?"},
      {" !", "!"},
      {" ,", ","},
      {" ' ", "'"},
      {" n't", "n't"},
      {" 'm", "'m"},
      {" do not", " don't"},
      {" 's", "'s"},
      {" 've", "'ve"},
      {" 're", "'re"},
  }};
  for (const auto& [from, to] : kRules) text = replace_all(text, from, to);
  return text;
}

}  // namespace

void TextDecoder::push(std::string_view token, std::string& out) {
  const bool is_first = std::exchange(is_first_, false);
  switch (rules_->kind) {
    case DecoderRules::Kind::kJoin:
      if (!is_first) out += ' ';
      out += token;
      return;
    case DecoderRules::Kind::kByteLevel:
      held_ += alphabet_to_bytes(token);
      held_.erase(0, append_valid_utf8(held_, false, out));
      return;
    case DecoderRules::Kind::kFallback:
      return push_fallback(token, out);
    case DecoderRules::Kind::kWordPiece: {
      std::string text;
      if (is_first) {
        text = token;
      } else if (token.starts_with(rules_->prefix)) {
        text = token.substr(rules_->prefix.size());
      } else {
        text = " " + std::string(token);
      }
      out += rules_->cleans_up ? cleaned_up(std::move(text)) : text;
      return;
    }
    case DecoderRules::Kind::kMetaspace:
      out += replace_all(token, rules_->prefix, is_first && rules_->drops_first ? "" : " ");
      return;
  }
}

void TextDecoder::push_fallback(std::string_view token, std::string& out) {
  std::string text(token);
  for (const auto& [from, to] : rules_->replacements) text = replace_all(text, from, to);
  if (const int byte = rules_->byte_fallback ? byte_of(text) : -1; byte >= 0) {
    held_ += static_cast<char>(byte);
    return;
  }
  end_byte_run(out);
  emit(text, out);
}

void TextDecoder::end_byte_run(std::string& out) {
  if (held_.empty()) return;
  std::string text;
  if (is_valid_utf8(held_)) {
    text = held_;
  } else {
    for (std::size_t i = 0; i < held_.size(); ++i) append_utf8(text, kReplacement);
  }
  held_.clear();
  emit(text, out);
}

void TextDecoder::emit(std::string_view text, std::string& out) {
  while (strips_left_ > 0 && !text.empty()) {
    if (!text.starts_with(rules_->strip)) {
      strips_left_ = 0;
      break;
    }
    text.remove_prefix(rules_->strip.size());
    --strips_left_;
  }
  out += text;
}

void TextDecoder::flush(std::string& out) {
  if (rules_->kind == DecoderRules::Kind::kFallback) {
    end_byte_run(out);
  } else {
    append_valid_utf8(held_, true, out);
  }
  held_.clear();
  is_first_ = true;
  strips_left_ = rules_->strip_count;
}

}  // namespace astraweave::tokens
