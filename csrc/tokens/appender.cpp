#include "tokens/appender.hpp"

namespace astraweave::tokens {

std::size_t Appender::append(std::string_view text) {
  const std::size_t before = open_.size();
  open_ += text;
  try {
    const std::string_view open = open_;
    const std::size_t cut = tokenizer_->cuts(special_).last(open, before);
    if (cut == std::string_view::npos) {
      total_ = closed_ + tokenizer_->count(open, special_, continues_);
    } else {
      const std::size_t closed =
          closed_ + tokenizer_->count(open.substr(0, cut), special_, continues_);
      total_ = closed + tokenizer_->count(open.substr(cut), special_, true);
      closed_ = closed;
      continues_ = true;
      open_.erase(0, cut);
    }
  } catch (...) {
    open_.resize(before);
    throw;
  }
  return total_;
}

}  // namespace astraweave::tokens
