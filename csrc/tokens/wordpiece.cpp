#include "tokens/wordpiece.hpp"

#include <algorithm>

#include "tokens/unicode.hpp"

namespace astraweave::tokens {

WordPiece::WordPiece(std::shared_ptr<const Vocabulary> vocabulary,
                     std::unordered_set<TokenId> protected_ids, WordPieceOptions options)
    : vocabulary_(std::move(vocabulary)),
      protected_ids_(std::move(protected_ids)),
      options_(std::move(options)) {
  for (std::size_t i = 0; i < vocabulary_->size(); ++i) {
    longest_ = std::max(longest_, vocabulary_->token(static_cast<TokenId>(i)).size());
  }
}

void WordPiece::encode(std::string_view word, std::vector<TokenId>& out) const {
  const auto starts_character = [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  };
  const auto characters = std::count_if(word.begin(), word.end(), starts_character);
  const std::size_t before = out.size();
  const auto give_up = [&] {
    out.resize(before);
    if (options_.unknown != kNoToken) out.push_back(options_.unknown);
  };
  if (static_cast<std::size_t>(characters) > options_.max_word_chars) return give_up();
  std::string candidate;
  for (std::size_t at = 0; at < word.size();) {
    candidate = at > 0 ? options_.prefix : "";
    const std::size_t prefix = candidate.size();
    candidate += word.substr(at, longest_);
    TokenId found = kNoToken;
    while (candidate.size() > prefix) {
      const std::size_t stop = at + candidate.size() - prefix;
      if (stop == word.size() || starts_character(word[stop])) {
        found = vocabulary_->id(candidate);
        if (found != kNoToken && !protected_ids_.contains(found)) break;
        found = kNoToken;
      }
      candidate.pop_back();
    }
    if (found == kNoToken) return give_up();
    out.push_back(found);
    at += candidate.size() - prefix;
  }
}

std::size_t WordPiece::count(std::string_view word) const {
  thread_local std::vector<TokenId> ids;
  ids.clear();
  encode(word, ids);
  return ids.size();
}

}  // namespace astraweave::tokens
