// Finds the pieces of a text under a scanner's rules, many at a time.
//
// Prose is nearly all letters, ASCII digits, punctuation, single spaces and single newlines. Over
// such a stretch where the pieces start is a formula over bit masks of the bytes' classes
// (simd/classes; those of characters outside ASCII are filled in one by one, all bytes of a
// character alike), 64 bytes at once and without a branch; scan(), which is exact for all of
// Unicode, is asked only about what else there is. What the formula gives is what scan() would, and
// tested to be.
//
// The floor: with a step from piece to piece each waits for the end of the last (some 25 cycles of
// loads and shifts). The formula waits once in 64 bytes, so that a piece costs some 6 cycles here,
// a good deal less than looking it up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "simd/classes/classes.hpp"
#include "tokens/characters.hpp"
#include "tokens/scanners.hpp"

namespace astraweave::tokens {

// What a Digits step before the scanner does: cuts at the edges of numbers, or at every digit.
enum class DigitCut { kNone, kRuns, kSingle };

// What a text is cut by; made once for a tokenizer.
struct PieceRules {
  enum class Digits { kRuns, kRunsWithSpace, kThrees, kSingle };

  PieceRules(ScanRules scan, DigitCut digits) noexcept;

  ScanRules scan;
  DigitCut cut;
  Digits digits = Digits::kRuns;
  bool has_formula = true;  // else every piece is scan()'s
  const CharacterClasses* characters;
};

// Goes through one text (valid UTF-8, less than 4 GB).
class PieceFinder {
 public:
  PieceFinder(const PieceRules& rules, std::string_view text) noexcept;

  // How many pieces one step may find.
  static constexpr std::size_t kMostAtOnce = 65;
  // Writes where the next pieces end, as offsets into the text; how many they are, 0 at its end.
  // `room` is at least kMostAtOnce.
  std::size_t next(std::uint32_t* ends, std::size_t room) noexcept;

 private:
  using Family = ScanRules::Family;
  static constexpr std::size_t kWindow = 4096;  // bytes that are classified at once
  static constexpr std::size_t kBlocks = kWindow / 64;

  struct Extra {  // what the bytes of characters outside ASCII are besides
    std::uint64_t continuations = 0, both = 0, marks = 0;
  };
  using Classes = simd::ByteClasses;

  template <Family kFamily>
  std::size_t find(std::uint32_t* ends, std::size_t room) noexcept;
  template <Family kFamily>
  std::uint32_t* formula(std::uint32_t* ends) noexcept;
  void classify() noexcept;
  bool add_characters(std::size_t blocks) noexcept;
  Classes classes_from(std::size_t first) const noexcept;
  Extra extra_from(std::size_t first) const noexcept;
  template <Family kFamily>
  std::size_t contraction_length(std::size_t apostrophe) const noexcept;
  std::size_t scanned_end() noexcept;

  const PieceRules& rules_;
  std::string_view text_;
  simd::ClassifyBytes classify_bytes_;
  std::size_t at_ = 0;           // where the next piece starts
  std::size_t base_ = 0;         // where the classified bytes start
  std::size_t classify_at_ = 0;  // from here on they do not reach far enough
  std::size_t segment_end_ = 0;  // of the stretch without (or of) numbers, where these are cut off
  bool has_extra_ = false;
  std::array<Classes, kBlocks + 2> blocks_;
  std::array<Extra, kBlocks + 2> extra_;  // written only where has_extra_
};

}  // namespace astraweave::tokens
