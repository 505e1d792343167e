// GPT-2's alphabet: each byte written as one printable character, so that byte-level vocabularies
// are valid text. Printable Latin-1 stands for itself, the other 68 bytes for U+0100 onwards.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace astraweave::tokens {

const std::array<std::string, 256>& byte_characters();  // UTF-8
// The bytes that a token of the alphabet stands for, or the token's own bytes where one of its
// characters is not of the alphabet.
std::string alphabet_to_bytes(std::string_view token);
std::string bytes_to_alphabet(std::string_view bytes);

}  // namespace astraweave::tokens
