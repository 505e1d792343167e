// Pre-tokenizing: cuts a text into the pieces that a model encodes on their own.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokens/pieces.hpp"
#include "tokens/scanners.hpp"

namespace astraweave::tokens {

struct SplitStep {
  enum class Kind {
    kScan,         // `rules`
    kDigits,       // numbers apart, one by one where `single`
    kBert,         // at whitespace, punctuation by itself
    kWhitespace,   // at whitespace
    kPrefixSpace,  // a space before a piece that has none
    kMetaspace,    // spaces become `text`, `scheme` says where one is put in front
    kLiteral,      // at each `text`
  };
  enum class Scheme { kNever, kFirst, kAlways };
  enum class Behaviour { kRemoved, kIsolated, kWithPrevious, kWithNext };

  Kind kind = Kind::kScan;
  ScanRules rules;
  bool single = false;  // kDigits: one by one; kMetaspace: also split
  Scheme scheme = Scheme::kAlways;
  Behaviour behaviour = Behaviour::kIsolated;
  std::string text;
};

class Splitter {
 public:
  using Sink = std::function<void(std::string_view)>;

  // Throws Error(kConfig) for a step that would never end or has no text to look for, and
  // Error(kCorruptData) for one whose text is not UTF-8.
  explicit Splitter(std::vector<SplitStep> steps);
  // `is_start`: whether the text stands at the very start of what was given.
  void split(std::string_view text, bool is_start, const Sink& sink) const {
    apply(0, text, is_start, sink);
  }

  // Where a scanner, perhaps after a cut at digits, is all that it does: PieceFinder is faster.
  const std::optional<PieceRules>& piece_rules() const noexcept { return piece_rules_; }
  const std::vector<SplitStep>& steps() const noexcept { return steps_; }

 private:
  void apply(std::size_t step, std::string_view piece, bool is_start, const Sink& sink) const;
  std::vector<SplitStep> steps_;
  std::optional<PieceRules> piece_rules_;
};

}  // namespace astraweave::tokens
