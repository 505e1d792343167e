// UTF-8 and the character classes that scanners and normalisers ask for.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace astraweave::tokens {

// The order is that of the list in make_unicode_tables.py.
enum Flag : std::uint16_t {
  kLetter = 1 << 0,
  kNumber = 1 << 1,
  kSpace = 1 << 2,
  kUpperish = 1 << 3,  // Lu Lt Lm Lo M
  kLowerish = 1 << 4,  // Ll Lm Lo M
  kNumeric = 1 << 5,
  kPunctuation = 1 << 6,
  kControl = 1 << 7,
  kBlank = 1 << 8,
  kAccent = 1 << 9,
  kIdeograph = 1 << 10,
  kWord = 1 << 11,
  kHasLowercase = 1 << 12,
  kHasDecomposition = 1 << 13,
  kBertAccent = 1 << 14,  // BERT strips fewer marks than StripAccents does
};

constexpr char32_t kCodePoints = 0x110000;
constexpr char32_t kReplacement = 0xFFFD;

// The flags of every code point in two stages: a block number for each 128, and the blocks that
// differ. Built at the first use (about a millisecond), then read by any number of threads.
class FlagTable {
 public:
  FlagTable();
  std::uint16_t operator[](char32_t code_point) const noexcept {
    return blocks_[index_[code_point / kBlock]][code_point % kBlock];
  }

 private:
  static constexpr char32_t kBlock = 128;
  using Block = std::array<std::uint16_t, kBlock>;
  std::array<std::uint16_t, kCodePoints / kBlock> index_;
  std::vector<Block> blocks_;
};

inline std::uint16_t flags(char32_t code_point) noexcept {
  static const FlagTable table;
  return table[code_point];
}
inline bool has(char32_t code_point, int mask) noexcept { return (flags(code_point) & mask) != 0; }

// Length in bytes of the character that starts with this byte of valid UTF-8.
inline int utf8_length(unsigned char lead) noexcept {
  return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

// Reads one character of valid UTF-8 and steps over it.
inline char32_t decode_utf8(const char*& at) noexcept {
  const auto byte = [&](int i) { return static_cast<char32_t>(static_cast<unsigned char>(at[i])); };
  const char32_t lead = byte(0);
  if (lead < 0x80) {
    at += 1;
    return lead;
  }
  if (lead < 0xE0) {
    const char32_t code = ((lead & 0x1F) << 6) | (byte(1) & 0x3F);
    at += 2;
    return code;
  }
  if (lead < 0xF0) {
    const char32_t code = ((lead & 0x0F) << 12) | ((byte(1) & 0x3F) << 6) | (byte(2) & 0x3F);
    at += 3;
    return code;
  }
  const char32_t code =
      ((lead & 0x07) << 18) | ((byte(1) & 0x3F) << 12) | ((byte(2) & 0x3F) << 6) | (byte(3) & 0x3F);
  at += 4;
  return code;
}

void append_utf8(std::string& out, char32_t code_point);

// Copies UTF-8 that may be broken into `out`, with U+FFFD for each maximal broken part. A character
// cut off by the end is left for the next call, unless `last`. Returns how many bytes were read.
std::size_t append_valid_utf8(std::string_view bytes, bool last, std::string& out);
bool is_valid_utf8(std::string_view bytes) noexcept;
// Everything that a tokenizer is made of has to be valid UTF-8, so that no text it meets later
// needs looking at. Throws Error(kCorruptData) that says `what` is not.
void require_utf8(std::string_view text, const char* what);

void append_lowercase(std::string& out, char32_t code_point);
void append_decomposition(std::u32string& out, char32_t code_point);  // canonical, full
int combining_class(char32_t code_point) noexcept;
char32_t compose(char32_t first, char32_t second) noexcept;  // 0 where there is no such character

}  // namespace astraweave::tokens
