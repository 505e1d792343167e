// Counting many texts on several threads.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "tokens/tokenizer.hpp"

namespace astraweave::tokens {

// The counts of texts (valid UTF-8) in their order, on at most `threads` threads, the caller's
// among them. No more are started than the texts are worth, and they end before this returns.
std::vector<std::size_t> count_many(const Tokenizer& tokenizer,
                                    std::span<const std::string_view> texts, bool special,
                                    std::size_t threads);

}  // namespace astraweave::tokens
