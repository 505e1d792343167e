#include "tokens/byte_alphabet.hpp"

#include "tokens/unicode.hpp"

namespace astraweave::tokens {
namespace {

struct Alphabet {
  std::array<std::string, 256> characters;
  std::array<int, 0x144> bytes;  // by code point, -1 where it stands for none

  Alphabet() {
    bytes.fill(-1);
    char32_t other = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
      const char32_t code = printable ? static_cast<char32_t>(byte) : other++;
      append_utf8(characters[static_cast<std::size_t>(byte)], code);
      bytes[code] = byte;
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

const std::array<std::string, 256>& byte_characters() { return alphabet().characters; }

std::string alphabet_to_bytes(std::string_view token) {
  std::string out;
  const auto& bytes = alphabet().bytes;
  for (const char *at = token.data(), *end = at + token.size(); at < end;) {
    const char32_t code = decode_utf8(at);
    if (code >= bytes.size() || bytes[code] < 0) return std::string(token);
    out += static_cast<char>(bytes[code]);
  }
  return out;
}

std::string bytes_to_alphabet(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) out += byte_characters()[static_cast<unsigned char>(byte)];
  return out;
}

}  // namespace astraweave::tokens
