#include "words/splitter.hpp"

#include <algorithm>
#include <array>

#include "tokens/unicode.hpp"
#include "words/stemmer.hpp"

namespace astraweave::words {
namespace {

using tokens::flags;

struct Range {
  char32_t first, last;
};

template <std::size_t N>
bool within(const Range (&ranges)[N], char32_t code) noexcept {
  return std::any_of(std::begin(ranges), std::end(ranges), [code](const Range& range) {
    return range.first <= code && code <= range.last;
  });
}

bool is_mark(std::uint16_t flag) noexcept {
  const int both = tokens::kUpperish | tokens::kLowerish;
  return (flag & both) == both && (flag & tokens::kLetter) == 0;
}

// Marks that are written over plain letters and left out by many who type.
bool falls_off(char32_t code) noexcept {
  static constexpr Range kMarks[] = {
      {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x05BF, 0x05BF}, {0x05C1, 0x05C2},
      {0x05C4, 0x05C5}, {0x05C7, 0x05C7}, {0x0610, 0x061A}, {0x064B, 0x065F}, {0x0670, 0x0670},
      {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F},
  };
  return within(kMarks, code);
}

bool is_invisible(char32_t code) noexcept {
  static constexpr Range kInvisible[] = {{0x00AD, 0x00AD}, {0x034F, 0x034F}, {0x061C, 0x061C},
                                         {0x0640, 0x0640},  // the Arabic stretching stroke
                                         {0x200B, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x2064},
                                         {0x2066, 0x206F}, {0xFEFF, 0xFEFF}};
  return within(kInvisible, code);
}

bool is_hangul(char32_t code) noexcept { return 0xAC00 <= code && code <= 0xD7A3; }

bool is_unspaced(char32_t code, std::uint16_t flag) noexcept {
  static constexpr Range kUnspaced[] = {
      {0x0E00, 0x0EFF}, {0x1000, 0x109F}, {0x1780, 0x17FF}, {0x3041, 0x30FF},
      {0x31F0, 0x31FF}, {0xA9E0, 0xA9FF}, {0xAA60, 0xAA7F}, {0xFF66, 0xFF9F},
  };
  return (flag & tokens::kIdeograph) != 0 || is_hangul(code) || within(kUnspaced, code);
}

// Letters that no decomposition makes plain.
std::string_view plain(char32_t code) noexcept {
  switch (code) {
    case U'ß':
    case U'ẞ':
      return "ss";
    case U'æ':
    case U'Æ':
      return "ae";
    case U'œ':
    case U'Œ':
      return "oe";
    case U'ø':
    case U'Ø':
      return "o";
    case U'ł':
    case U'Ł':
      return "l";
    case U'đ':
    case U'Đ':
    case U'ð':
    case U'Ð':
      return "d";
    case U'þ':
    case U'Þ':
      return "th";
    case U'ı':
      return "i";
    case U'ς':
      return "σ";
    default:
      return {};
  }
}

// What the folded form of each ASCII character is; 0: it parts words.
constexpr std::array<char, 128> kPlainAscii = [] {
  std::array<char, 128> table{};
  for (unsigned char c = '0'; c <= '9'; ++c) table[c] = static_cast<char>(c);
  for (unsigned char c = 'a'; c <= 'z'; ++c) {
    table[c] = static_cast<char>(c);
    table[c ^ 0x20U] = static_cast<char>(c);  // its capital
  }
  return table;
}();

class Splitter {
 public:
  explicit Splitter(WordList& words) : words_(words) {}

  void run(std::string_view text) {
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at < end) {
      const auto byte = static_cast<unsigned char>(*at);
      if (byte >= 0x80) {
        other(tokens::decode_utf8(at));
      } else {
        ++at;
        ascii(static_cast<char>(byte));
      }
    }
    finish();
  }

 private:
  void ascii(char c) {
    if (const char folded = kPlainAscii[static_cast<unsigned char>(c)]) {
      letter({&folded, 1});
    } else if (c == '\'') {
      apostrophe();
    } else {
      finish();
    }
  }

  void other(char32_t code) {
    if (is_invisible(code)) return;
    if (code == U'’' || code == U'ʼ' || code == U'＇') return apostrophe();
    if (0xFF10 <= code && code <= 0xFF5A) {  // as wide as ideographs
      return ascii(static_cast<char>(code - 0xFEE0));
    }
    const std::uint16_t flag = flags(code);
    if ((flag & (tokens::kLetter | tokens::kNumber)) == 0 && !is_mark(flag)) return finish();
    if (falls_off(code)) return;
    if (is_unspaced(code, flag)) return unspaced(code, flag);
    parts_.clear();
    tokens::append_decomposition(parts_, code);
    folded_.clear();
    for (const char32_t part : parts_) {
      if (falls_off(part)) continue;
      if (const std::string_view simple = plain(part); !simple.empty()) {
        folded_ += simple;
      } else {
        append_small(part);
      }
    }
    const auto begins = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; };
    letter(folded_,
           static_cast<std::size_t>(std::count_if(folded_.begin(), folded_.end(), begins)));
  }

  // Small letters may have marks of their own (İ).
  void append_small(char32_t code) {
    small_.clear();
    tokens::append_lowercase(small_, code);
    for (const char *at = small_.data(), *end = at + small_.size(); at < end;) {
      const char32_t part = tokens::decode_utf8(at);
      if (!falls_off(part)) tokens::append_utf8(folded_, part);
    }
  }

  // Æ is two of them.
  void letter(std::string_view bytes, std::size_t letters = 1) {
    if (run_length_ > 0) end_run();
    if (has_apostrophe_) {
      has_apostrophe_ = false;
      if (letters_ <= 2) {
        finish();
      } else {
        add("'");
      }
    }
    add(bytes);
    letters_ += letters;
  }

  void add(std::string_view bytes) noexcept {
    if (is_cut_ || size_ + bytes.size() > kMostBytes) {
      is_cut_ = true;  // not in the middle of a character, and nothing behind it
      return;
    }
    std::copy(bytes.begin(), bytes.end(), word_.data() + size_);
    size_ += bytes.size();
  }

  void apostrophe() {
    if (size_ == 0 || has_apostrophe_) return finish();
    has_apostrophe_ = true;
  }

  void unspaced(char32_t code, std::uint16_t flag) {
    if (size_ > 0) finish();
    now_.clear();
    tokens::append_utf8(now_, code);
    const bool alone = (flag & tokens::kIdeograph) != 0;
    if (alone) words_.push(now_);
    if (run_length_ > 0) {
      before_ += now_;
      words_.push(before_);
    }
    before_ = now_;
    last_stands_alone_ = alone;
    ++run_length_;
  }

  void end_run() {
    if (run_length_ == 1 && !last_stands_alone_) words_.push(before_);
    run_length_ = 0;
  }

  void finish() {
    if (run_length_ > 0) end_run();
    has_apostrophe_ = false;
    if (size_ == 0) return;
    std::size_t size = stem(word_.data(), size_);
    size = static_cast<std::size_t>(std::remove(word_.data(), word_.data() + size, '\'') -
                                    word_.data());
    if (size > 0) words_.push({word_.data(), size});
    size_ = letters_ = 0;
    is_cut_ = false;
  }

  WordList& words_;
  std::array<char, kMostBytes> word_;
  std::size_t size_ = 0, letters_ = 0;
  bool is_cut_ = false, has_apostrophe_ = false;
  std::size_t run_length_ = 0;  // of a script without blanks
  bool last_stands_alone_ = false;
  std::string before_, now_, folded_, small_;
  std::u32string parts_;
};

}  // namespace

void split_words(std::string_view text, WordList& words) { Splitter(words).run(text); }

}  // namespace astraweave::words
