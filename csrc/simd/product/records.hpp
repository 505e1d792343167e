// A block of a quantised row, for the kernels of this family alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "simd/product/product.hpp"

namespace astraweave::simd {

// Codes as they are: four neighbours are what one lane of a dot product instruction takes.
struct ByteRecord {
  float scale;
  std::int32_t minus_sum;  // of the codes; its low half is a whole number of 16 bits too
  std::int8_t codes[kProductBlock];
};

// Codes in 16 bits; of each four the even ones, then the odd ones.
struct WordRecord {
  float scale;
  std::int32_t minus_sum;
  std::int16_t codes[kProductBlock];
};

// Below this a block counts as zeros: its reciprocal would be infinite.
inline constexpr float kSmallestBlock = 1e-30F;
inline constexpr float kLargestCode = 127.0F;

// Of a block that holds NaN or an infinity: every product with it is NaN.
template <class Record>
inline constexpr Record kNoNumbers{std::numeric_limits<float>::quiet_NaN(), 0, {}};

inline bool is_number(float most) noexcept { return most <= std::numeric_limits<float>::max(); }

// Four codes of 8 bits or two of 16, as the number that goes to every lane.
inline std::int32_t as_lane(const void* codes) noexcept {
  std::int32_t lane;
  std::memcpy(&lane, codes, sizeof lane);
  return lane;
}

template <class Record>
inline const Record* record(const std::byte* row, std::size_t block) noexcept {
  return reinterpret_cast<const Record*>(row) + block;
}
template <class Record>
inline Record* record(std::byte* row, std::size_t block) noexcept {
  return reinterpret_cast<Record*>(row) + block;
}

}  // namespace astraweave::simd
