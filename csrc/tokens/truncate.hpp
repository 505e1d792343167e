// The longest stretch of a text's start or end that has no more than so many tokens.
#pragma once

#include <memory>
#include <string_view>

#include "tokens/tokenizer.hpp"

namespace astraweave::tokens {

// The text itself where it has no more than `most` tokens. Else a part of it that ends (or starts)
// between two characters, has no more than `most`, and has more as soon as it is one character
// longer. Control tokens are looked for only where `special`.
std::string_view keep_start(const std::shared_ptr<const Tokenizer>& tokenizer,
                            std::string_view text, std::size_t most, bool special);
std::string_view keep_end(const Tokenizer& tokenizer, std::string_view text, std::size_t most,
                          bool special);

}  // namespace astraweave::tokens
