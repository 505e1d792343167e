// Finds tokens that are matched as text, before anything else is done to it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokens/vocabulary.hpp"

namespace astraweave::tokens {

struct AddedToken {
  TokenId id = kNoToken;
  std::string content;
  bool special = false;      // a control token: matched only where the caller asks for it
  bool normalized = false;   // matched after normalising, in its own normalised form
  bool single_word = false;  // only where no word character touches it
  bool strips_left = false, strips_right = false;  // takes the whitespace on that side with it
};

// Leftmost match first, the longest among those that start there.
class AddedTokenMatcher {
 public:
  using OnToken = std::function<void(TokenId)>;
  using OnText = std::function<void(std::string_view)>;

  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);
  bool empty() const noexcept { return tokens_.empty(); }
  void split(std::string_view text, const OnToken& on_token, const OnText& on_text) const;

 private:
  struct Hit {
    std::size_t stop = 0;
    const AddedToken* token = nullptr;
  };
  Hit longest_at(std::string_view text, std::size_t at) const;
  std::size_t next_start(std::string_view text, std::size_t at) const noexcept;

  std::vector<AddedToken> tokens_;
  std::vector<int> token_of_node_;                          // -1 where none ends
  std::unordered_map<std::uint64_t, std::uint32_t> edges_;  // node << 8 | byte
  bool starts_[256] = {};
  int only_start_ = -1;  // the byte that all of them start with, if it is one
};

}  // namespace astraweave::tokens
