// The bytes of pieces as integers, to be hashed and compared without a loop.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string_view>

namespace astraweave::tokens {

// The bytes of a short piece as two integers, with the length above them.
struct PieceKey {
  static constexpr std::size_t kLongest = 13;
  static constexpr int kLengthBit = 40, kTokenBit = 44;
  static constexpr std::uint64_t kBits = (std::uint64_t{1} << kTokenBit) - 1;

  std::uint64_t low, high;

  // `readable`: how many bytes may be read from `data` on, at least `size`.
  static PieceKey of(const char* data, std::size_t size, std::size_t readable) noexcept {
    if constexpr (std::endian::native == std::endian::little) {
      if (readable >= 16) {
        std::uint64_t low, high;
        std::memcpy(&low, data, 8);
        std::memcpy(&high, data + 8, 8);
        return cut(low, high, size);
      }
    }
    std::uint64_t words[2] = {0, 0};
    std::memcpy(words, data, size);
    return cut(words[0], words[1], size);
  }
  std::uint64_t hash() const noexcept {
    std::uint64_t mixed = (low ^ std::rotl(high * 0x9E3779B97F4A7C15u, 29)) * 0xD6E8FEB86659FD93u;
    return mixed ^ mixed >> 32;
  }

 private:
  static PieceKey cut(std::uint64_t low, std::uint64_t high, std::size_t size) noexcept {
    static constexpr auto kMasks = [] {
      std::array<PieceKey, kLongest + 1> masks{};
      for (std::size_t i = 0; i <= kLongest; ++i) {
        const std::uint64_t all = ~std::uint64_t{0};
        masks[i].low = i >= 8 ? all : (std::uint64_t{1} << (8 * i)) - 1;
        masks[i].high = i <= 8 ? 0 : (std::uint64_t{1} << (8 * (i - 8))) - 1;
      }
      return masks;
    }();
    return {low & kMasks[size].low, (high & kMasks[size].high) | std::uint64_t{size} << kLengthBit};
  }
};

// Those of a piece of up to 31 bytes; the last byte is how many they are.
struct LongKey {
  static constexpr std::size_t kLongest = 31;

  std::array<std::uint64_t, 4> words{};

  // `readable` as above.
  static LongKey of(const char* data, std::size_t size, std::size_t readable) noexcept {
    LongKey key;
    if (std::endian::native == std::endian::little && readable >= 32) {
      std::memcpy(key.words.data(), data, 32);
      for (std::size_t i = 0; i < 4; ++i) key.words[i] &= mask(size, i);
    } else {
      std::memcpy(key.words.data(), data, size);
    }
    reinterpret_cast<unsigned char*>(key.words.data())[31] = static_cast<unsigned char>(size);
    return key;
  }
  std::uint64_t hash() const noexcept {
    constexpr std::uint64_t kFirst = 0x9E3779B97F4A7C15u, kSecond = 0xD6E8FEB86659FD93u;
    const std::uint64_t low = (words[0] ^ std::rotl(words[1] * kFirst, 29)) * kSecond;
    const std::uint64_t high = (words[2] ^ std::rotl(words[3] * kSecond, 31)) * kFirst;
    const std::uint64_t mixed = (low ^ std::rotl(high, 17)) * kFirst;
    return mixed ^ mixed >> 32;
  }
  bool operator==(const LongKey& other) const noexcept = default;

 private:
  // Of the word `i` of a piece of so many bytes: all ones where it has bytes.
  static std::uint64_t mask(std::size_t size, std::size_t i) noexcept {
    const std::size_t bytes = size > 8 * i ? size - 8 * i : 0;
    return bytes >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * bytes)) - 1;
  }
};

// The hash of a piece of any length; that of its LongKey where it has one.
inline std::uint64_t long_hash(std::string_view piece, std::size_t readable) noexcept {
  if (piece.size() <= LongKey::kLongest) {
    return LongKey::of(piece.data(), piece.size(), readable).hash();
  }
  const std::uint64_t mixed = std::hash<std::string_view>{}(piece) * 0x9E3779B97F4A7C15u;
  return mixed ^ mixed >> 32;
}

}  // namespace astraweave::tokens
