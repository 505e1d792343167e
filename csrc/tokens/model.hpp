// What turns one piece of text into tokens.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tokens/vocabulary.hpp"

namespace astraweave::tokens {

// Any number of threads may use one.
class Model {
 public:
  virtual ~Model() = default;
  // Appends the tokens of a piece (valid UTF-8).
  virtual void encode(std::string_view piece, std::vector<TokenId>& out) const = 0;
  // How many tokens `encode` appends.
  virtual std::size_t count(std::string_view piece) const = 0;
  // The same of neighbouring pieces of `text` together: the first starts at `start`, and each ends
  // where the next one starts.
  virtual std::size_t count_all(std::string_view text, std::size_t start,
                                std::span<const std::uint32_t> ends) const {
    std::size_t total = 0;
    for (const std::size_t end : ends) {
      total += count(text.substr(start, end - start));
      start = end;
    }
    return total;
  }
  // Whether no token ever spans the place between these two texts, whatever stands around them.
  virtual bool never_joins(std::string_view before, std::string_view after) const {
    static_cast<void>(before), static_cast<void>(after);
    return false;
  }
};

}  // namespace astraweave::tokens
