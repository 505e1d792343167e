#include "tokens/added_tokens.hpp"

#include <algorithm>

#include "tokens/unicode.hpp"

namespace astraweave::tokens {
namespace {

constexpr int kSeveral = -2;

// The character that ends at `at`, which is not the start of the text.
char32_t character_before(std::string_view text, std::size_t at) {
  do {
    --at;
  } while ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  const char* start = text.data() + at;
  return decode_utf8(start);
}

char32_t character_at(std::string_view text, std::size_t at) {
  const char* start = text.data() + at;
  return decode_utf8(start);
}

bool stands_alone(std::string_view text, std::size_t start, std::size_t stop) {
  return (start == 0 || !has(character_before(text, start), kWord)) &&
         (stop == text.size() || !has(character_at(text, stop), kWord));
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens)
    : tokens_(std::move(tokens)), token_of_node_(1, -1) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    std::uint32_t node = 0;
    for (const char c : tokens_[i].content) {
      const std::uint64_t edge = std::uint64_t{node} << 8 | static_cast<unsigned char>(c);
      const auto next = static_cast<std::uint32_t>(token_of_node_.size());
      const auto [found, is_new] = edges_.try_emplace(edge, next);
      if (is_new) token_of_node_.push_back(-1);
      node = found->second;
    }
    if (tokens_[i].content.empty()) continue;
    const int start = static_cast<unsigned char>(tokens_[i].content[0]);
    only_start_ = only_start_ == -1 || only_start_ == start ? start : kSeveral;
    starts_[static_cast<unsigned char>(tokens_[i].content[0])] = true;
    if (token_of_node_[node] < 0) token_of_node_[node] = static_cast<int>(i);
  }
}

AddedTokenMatcher::Hit AddedTokenMatcher::longest_at(std::string_view text, std::size_t at) const {
  Hit hit;
  std::uint32_t node = 0;
  for (std::size_t i = at; i < text.size(); ++i) {
    const auto next = edges_.find(std::uint64_t{node} << 8 | static_cast<unsigned char>(text[i]));
    if (next == edges_.end()) break;
    node = next->second;
    if (token_of_node_[node] >= 0) {
      hit = {i + 1, &tokens_[static_cast<std::size_t>(token_of_node_[node])]};
    }
  }
  return hit;
}

// The first place at or after `at` where a token may start; the end of the text where none does.
std::size_t AddedTokenMatcher::next_start(std::string_view text, std::size_t at) const noexcept {
  if (only_start_ >= 0) return std::min(text.find(static_cast<char>(only_start_), at), text.size());
  while (at < text.size() && !starts_[static_cast<unsigned char>(text[at])]) ++at;
  return at;
}

void AddedTokenMatcher::split(std::string_view text, const OnToken& on_token,
                              const OnText& on_text) const {
  std::size_t done = 0;
  for (std::size_t at = 0; (at = next_start(text, at)) < text.size();) {
    const Hit hit = longest_at(text, at);
    if (hit.token == nullptr) {
      ++at;
      continue;
    }
    std::size_t start = at, stop = hit.stop;
    at = hit.stop;
    if (start < done) continue;  // whitespace that the last match took with it
    if (hit.token->single_word && !stands_alone(text, start, stop)) continue;
    if (hit.token->strips_left) {
      while (start > done && has(character_before(text, start), kSpace)) {
        do {
          --start;
        } while ((static_cast<unsigned char>(text[start]) & 0xC0) == 0x80);
      }
    }
    if (hit.token->strips_right) {
      while (stop < text.size() && has(character_at(text, stop), kSpace)) {
        stop += static_cast<std::size_t>(utf8_length(static_cast<unsigned char>(text[stop])));
      }
    }
    if (done < start) on_text(text.substr(done, start - done));
    on_token(hit.token->id);
    done = stop;
  }
  if (done < text.size()) on_text(text.substr(done));
}

}  // namespace astraweave::tokens
