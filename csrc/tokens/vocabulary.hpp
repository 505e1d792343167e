// Tokens by id and ids by token. Built once, then read by any number of threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace astraweave::tokens {

using TokenId = std::int32_t;
constexpr TokenId kNoToken = -1;

class Vocabulary {
 public:
  // A missing entry is an id that no token has. Throws Error(kCorruptData) for a token
  // that is named twice or is not UTF-8.
  explicit Vocabulary(const std::vector<std::optional<std::string>>& tokens);

  std::size_t size() const noexcept { return starts_.size() - 1; }
  bool contains(TokenId id) const noexcept {
    return id >= 0 && static_cast<std::size_t>(id) < size() &&
           present_[static_cast<std::size_t>(id)];
  }
  std::string_view token(TokenId id) const noexcept {
    const auto at = static_cast<std::size_t>(id);
    return std::string_view(bytes_).substr(starts_[at], starts_[at + 1] - starts_[at]);
  }
  TokenId id(std::string_view token) const noexcept;

 private:
  std::size_t slot(std::string_view token) const noexcept;

  std::string bytes_;
  std::vector<std::uint32_t> starts_;
  std::vector<bool> present_;
  std::vector<TokenId> slots_;  // open addressing, a power of two, at most half full
};

}  // namespace astraweave::tokens
