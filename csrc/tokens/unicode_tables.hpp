// The raw tables behind unicode.hpp, written by make_unicode_tables.py.
#pragma once

#include <cstdint>
#include <span>

namespace astraweave::tokens::tables {

struct FlagRun {
  std::uint32_t first;
  std::uint16_t flags;
};
struct CharMapping {
  std::uint32_t from;
  std::uint32_t to[4];  // zero-terminated where shorter
};
struct CombiningClass {
  std::uint32_t code_point;
  std::uint8_t value;
};
struct Composition {
  std::uint32_t first, second, composed;
};

extern const std::span<const FlagRun> kFlagRuns;
extern const std::span<const CharMapping> kLowercase;
extern const std::span<const CharMapping> kDecompositions;
extern const std::span<const CombiningClass> kCombiningClasses;
extern const std::span<const Composition> kCompositions;

}  // namespace astraweave::tokens::tables
