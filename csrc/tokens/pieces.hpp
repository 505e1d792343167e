// Finds the pieces of a text under a scanner's rules, many at a time.
//
// Nearly every piece of prose is a run of ASCII letters with at most one other byte before it. Such
// a piece is recognised from bit masks of its bytes' classes (simd/classes): its end is a count of
// ones, with no loop to be mispredicted. Everything else is left to scan(), which is exact for all
// of Unicode; what the two give is the same by construction, and tested to be.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "simd/classes/classes.hpp"
#include "tokens/scanners.hpp"

namespace astraweave::tokens {

// What a Digits step before the scanner does: cuts at the edges of numbers, or at every digit.
enum class DigitCut { kNone, kRuns, kSingle };

// What a text is cut by; made once for a tokenizer.
class PieceRules {
 public:
  // How many bytes stand before the letters of a word that starts with this byte, if it is one.
  static constexpr std::uint8_t kNoWord = 2;

  PieceRules(ScanRules scan, DigitCut digits) noexcept;
  const ScanRules& scan() const noexcept { return scan_; }
  DigitCut digits() const noexcept { return digits_; }
  std::uint8_t bytes_before_word(char first) const noexcept {
    return before_word_[static_cast<unsigned char>(first)];
  }

 private:
  ScanRules scan_;
  DigitCut digits_;
  std::array<std::uint8_t, 256> before_word_{};
};

// Goes through one text (valid UTF-8, less than 4 GB).
class PieceFinder {
 public:
  PieceFinder(const PieceRules& rules, std::string_view text) noexcept;

  // Writes where the next pieces end, as offsets into the text; how many they are, 0 at its end.
  std::size_t next(std::uint32_t* ends, std::size_t room) noexcept;

 private:
  static constexpr std::size_t kWindow = 4096;  // bytes that are classified at once
  static constexpr std::size_t kWords = kWindow / 64;

  template <bool kByCase>
  std::size_t find(std::uint32_t* ends, std::size_t room) noexcept;
  template <bool kByCase>
  std::size_t word_end(std::size_t first) const noexcept;
  void classify() noexcept;
  std::size_t other_end() noexcept;

  const PieceRules& rules_;
  std::string_view text_;
  simd::ByteClasses byte_classes_;
  std::size_t at_ = 0;           // where the next piece starts
  std::size_t base_ = 0;         // where the window starts
  std::size_t classify_at_ = 0;  // from here on the window does not reach far enough
  std::size_t segment_end_ = 0;  // of the stretch without (or of) numbers, where these are cut off
  std::array<std::uint64_t, kWords + 2> letters_, capitals_, high_;
};

}  // namespace astraweave::tokens
