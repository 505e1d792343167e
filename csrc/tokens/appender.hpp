// The count of a text that grows at its end, at the cost of what is new.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tokens/tokenizer.hpp"

namespace astraweave::tokens {

// After each append(), total() is what Tokenizer::count gives for everything appended so far,
// joined to one text. What lies before the last place where that text may be cut (Cuts) is counted
// once and forgotten; the rest, in prose the last word, is counted anew. A copy goes its own way.
// For one thread at a time.
class Appender {
 public:
  Appender(std::shared_ptr<const Tokenizer> tokenizer, bool special)
      : tokenizer_(std::move(tokenizer)), special_(special) {}

  // Valid UTF-8. Returns the new total; where it throws, nothing was appended.
  std::size_t append(std::string_view text);
  std::size_t total() const noexcept { return total_; }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  bool special_;
  bool continues_ = false;  // whether anything was closed before what is open
  std::size_t closed_ = 0, total_ = 0;
  std::string open_;
};

}  // namespace astraweave::tokens
