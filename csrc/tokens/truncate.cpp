#include "tokens/truncate.hpp"

#include <algorithm>
#include <utility>

#include "tokens/appender.hpp"
#include "tokens/cuts.hpp"

namespace astraweave::tokens {
namespace {

constexpr std::size_t kBytesPerToken = 4;  // about; only the time depends on it

bool starts_character(std::string_view text, std::size_t at) noexcept {
  return at >= text.size() || (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
}

// The nearest place between characters at or after `at`.
std::size_t rounded_up(std::string_view text, std::size_t at) noexcept {
  at = std::min(at, text.size());
  while (!starts_character(text, at)) ++at;
  return at;
}

// The start of a text's end of `kept` bytes, or a little more.
std::size_t start_of_end(std::string_view text, std::size_t kept) noexcept {
  std::size_t at = text.size() - std::min(kept, text.size());
  while (!starts_character(text, at)) --at;
  return at;
}

std::size_t first_step(std::string_view text, std::size_t most) noexcept {
  return most < text.size() / kBytesPerToken ? kBytesPerToken * most + 1 : text.size();
}

}  // namespace

std::string_view keep_start(const std::shared_ptr<const Tokenizer>& tokenizer,
                            std::string_view text, std::size_t most, bool special) {
  if (tokenizer->count(text, special) <= most) return text;
  Appender kept(tokenizer, special);
  // Ends at `size` have few enough tokens, those at `too_long` too many.
  std::size_t size = 0, step = first_step(text, most);
  std::size_t too_long = std::string_view::npos;
  while (size < text.size()) {
    const bool bounded = too_long != std::string_view::npos;
    if (bounded) step = std::max<std::size_t>(1, (too_long - size) / 2);
    std::size_t reach = rounded_up(text, size + step);
    if (bounded && reach >= too_long) {
      reach = rounded_up(text, size + 1);
      if (reach >= too_long) break;  // a character more is too much
    }
    Appender longer = kept;
    if (longer.append(text.substr(size, reach - size)) <= most) {
      kept = std::move(longer);
      size = reach;
      step *= 2;
    } else {
      too_long = reach;
    }
  }
  return text.substr(0, size);
}

std::string_view keep_end(const Tokenizer& tokenizer, std::string_view text, std::size_t most,
                          bool special) {
  if (tokenizer.count(text, special) <= most) return text;
  const Cuts& cuts = tokenizer.cuts(special);
  // What lies behind `anchor`, where the text may be cut, is counted once.
  std::size_t anchor = text.size(), behind = 0;
  const auto count_from = [&](std::size_t at) {
    return behind + tokenizer.count(text.substr(at, anchor - at), special);
  };
  const auto move_anchor = [&](std::size_t start) {
    const std::size_t cut = cuts.next(text.substr(0, anchor), start + 1);
    if (cut == std::string_view::npos) return;
    behind += tokenizer.count(text.substr(cut, anchor - cut), special, true);
    anchor = cut;
  };
  // Starts at `fits` have few enough tokens, those at `too_early` too many.
  std::size_t fits = text.size(), step = first_step(text, most);
  std::size_t too_early = std::string_view::npos;
  while (fits > 0) {
    const bool bounded = too_early != std::string_view::npos;
    if (bounded) step = std::max<std::size_t>(1, (fits - too_early) / 2);
    std::size_t start = start_of_end(text, text.size() - fits + step);
    if (bounded && start <= too_early) {
      start = start_of_end(text, text.size() - fits + 1);
      if (start <= too_early) break;  // a character more is too much
    }
    if (count_from(start) <= most) {
      fits = start;
      step *= 2;
      move_anchor(fits);
    } else {
      too_early = start;
    }
  }
  return text.substr(fits);
}

}  // namespace astraweave::tokens
