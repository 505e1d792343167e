// A block of a quantised row, for the kernels of this family alone.
#pragma once

#include <cstddef>
#include <cstdint>

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

template <class Record>
inline const Record* record(const std::byte* row, std::size_t block) noexcept {
  return reinterpret_cast<const Record*>(row) + block;
}
template <class Record>
inline Record* record(std::byte* row, std::size_t block) noexcept {
  return reinterpret_cast<Record*>(row) + block;
}

}  // namespace astraweave::simd
