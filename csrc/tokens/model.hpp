// What turns one piece of text into tokens.
#pragma once

#include <string_view>
#include <vector>

#include "tokens/vocabulary.hpp"

namespace astraweave::tokens {

class Model {
 public:
  virtual ~Model() = default;
  // Appends the tokens of a piece (valid UTF-8). Any number of threads may call it.
  virtual void encode(std::string_view piece, std::vector<TokenId>& out) const = 0;
};

}  // namespace astraweave::tokens
