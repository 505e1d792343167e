#include "tokens/unicode.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include "error.hpp"
#include "tokens/unicode_tables.hpp"

namespace astraweave::tokens {
namespace {

constexpr char32_t kHangul = 0xAC00, kHangulEnd = 0xD7A4;
constexpr char32_t kLead = 0x1100, kVowel = 0x1161, kTail = 0x11A7;
constexpr char32_t kVowels = 21, kTails = 28, kLeads = 19;

const tables::CharMapping* find(std::span<const tables::CharMapping> table, char32_t from) {
  const auto found = std::lower_bound(
      table.begin(), table.end(), from,
      [](const tables::CharMapping& row, char32_t value) { return row.from < value; });
  return found != table.end() && found->from == from ? &*found : nullptr;
}

// The length of the valid character at the start; otherwise minus the length of its maximal broken
// part, and 0 where the bytes end before the character does.
int judge_utf8(std::string_view bytes) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return -1;
  const int length = utf8_length(lead);
  for (int i = 1; i < length; ++i) {
    if (static_cast<std::size_t>(i) >= bytes.size()) return 0;
    unsigned char low = 0x80, high = 0xBF;
    if (i == 1) {
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    }
    if (byte(static_cast<std::size_t>(i)) < low || byte(static_cast<std::size_t>(i)) > high)
      return -i;
  }
  return length;
}

}  // namespace

FlagTable::FlagTable() {
  std::map<Block, std::uint16_t> known;
  const auto runs = tables::kFlagRuns;
  std::size_t run = 0;
  for (char32_t start = 0; start < kCodePoints; start += kBlock) {
    Block block{};
    for (char32_t i = 0; i < kBlock; ++i) {
      while (run + 1 < runs.size() && runs[run + 1].first <= start + i) ++run;
      block[i] = runs[run].flags;
    }
    const auto [found, is_new] =
        known.try_emplace(block, static_cast<std::uint16_t>(blocks_.size()));
    if (is_new) blocks_.push_back(block);
    index_[start / kBlock] = found->second;
  }
}

void append_utf8(std::string& out, char32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

std::size_t append_valid_utf8(std::string_view bytes, bool last, std::string& out) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const int verdict = judge_utf8(bytes.substr(at));
    if (verdict > 0) {
      out.append(bytes, at, static_cast<std::size_t>(verdict));
      at += static_cast<std::size_t>(verdict);
    } else if (verdict == 0 && !last) {
      break;
    } else {
      append_utf8(out, kReplacement);
      at += verdict == 0 ? bytes.size() - at : static_cast<std::size_t>(-verdict);
    }
  }
  return at;
}

bool is_valid_utf8(std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const int verdict = judge_utf8(bytes);
    if (verdict <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(verdict));
  }
  return true;
}

void require_utf8(std::string_view text, const char* what) {
  if (!is_valid_utf8(text)) {
    throw Error(ErrorCode::kCorruptData, std::string(what) + " is not valid UTF-8");
  }
}

void append_lowercase(std::string& out, char32_t code_point) {
  const tables::CharMapping* row =
      has(code_point, kHasLowercase) ? find(tables::kLowercase, code_point) : nullptr;
  if (row == nullptr) return append_utf8(out, code_point);
  for (const char32_t part : row->to) {
    if (part != 0) append_utf8(out, part);
  }
}

void append_decomposition(std::u32string& out, char32_t code_point) {
  if (!has(code_point, kHasDecomposition)) {
    out.push_back(code_point);
  } else if (code_point >= kHangul && code_point < kHangulEnd) {
    const char32_t offset = code_point - kHangul;
    out.push_back(kLead + offset / (kVowels * kTails));
    out.push_back(kVowel + offset / kTails % kVowels);
    if (offset % kTails != 0) out.push_back(kTail + offset % kTails);
  } else if (const tables::CharMapping* row = find(tables::kDecompositions, code_point)) {
    for (const char32_t part : row->to) {
      if (part != 0) out += part;
    }
  }
}

int combining_class(char32_t code_point) noexcept {
  if (code_point < 0x300) return 0;
  const auto table = tables::kCombiningClasses;
  const auto found = std::lower_bound(
      table.begin(), table.end(), code_point,
      [](const tables::CombiningClass& row, char32_t value) { return row.code_point < value; });
  return found != table.end() && found->code_point == code_point ? found->value : 0;
}

char32_t compose(char32_t first, char32_t second) noexcept {
  if (first - kLead < kLeads && second - kVowel < kVowels) {
    return kHangul + ((first - kLead) * kVowels + (second - kVowel)) * kTails;
  }
  if (first >= kHangul && first < kHangulEnd && (first - kHangul) % kTails == 0 && second > kTail &&
      second < kTail + kTails) {
    return first + (second - kTail);
  }
  const auto table = tables::kCompositions;
  const auto found =
      std::lower_bound(table.begin(), table.end(), std::pair{first, second},
                       [](const tables::Composition& row, const auto& pair) {
                         return std::pair<char32_t, char32_t>{row.first, row.second} < pair;
                       });
  const bool is_it = found != table.end() && found->first == first && found->second == second;
  return is_it ? found->composed : 0;
}

}  // namespace astraweave::tokens
