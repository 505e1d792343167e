#include "tokens/vocabulary.hpp"

#include <bit>
#include <functional>

#include "error.hpp"
#include "tokens/unicode.hpp"

namespace astraweave::tokens {

Vocabulary::Vocabulary(const std::vector<std::optional<std::string>>& tokens)
    : present_(tokens.size()), slots_(std::bit_ceil(2 * tokens.size() + 2), kNoToken) {
  std::size_t bytes = 0;
  for (const auto& token : tokens) bytes += token ? token->size() : 0;
  if (bytes > UINT32_MAX) throw Error(ErrorCode::kCorruptData, "a vocabulary past 4 GB");
  bytes_.reserve(bytes);
  starts_.reserve(tokens.size() + 1);
  starts_.push_back(0);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i]) bytes_ += *tokens[i];
    starts_.push_back(static_cast<std::uint32_t>(bytes_.size()));
    if (!tokens[i]) continue;
    require_utf8(*tokens[i], "a token of the vocabulary");
    present_[i] = true;
    TokenId& entry = slots_[slot(*tokens[i])];
    if (entry != kNoToken) {
      throw Error(ErrorCode::kCorruptData, "the vocabulary names the token '" + *tokens[i] +
                                               "' twice, as " + std::to_string(entry) + " and " +
                                               std::to_string(i));
    }
    entry = static_cast<TokenId>(i);
  }
}

TokenId Vocabulary::id(std::string_view token) const noexcept { return slots_[slot(token)]; }

std::size_t Vocabulary::slot(std::string_view token) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = std::hash<std::string_view>{}(token)&mask;
  while (slots_[at] != kNoToken && this->token(slots_[at]) != token) at = (at + 1) & mask;
  return at;
}

}  // namespace astraweave::tokens
