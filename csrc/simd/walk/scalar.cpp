#include "simd/walk/walk.hpp"

namespace astraweave::simd {

void walk_codes_scalar(const std::int8_t* query, std::int32_t, const std::uint8_t* const* rows,
                       std::size_t n, std::size_t dims, std::int32_t* sums) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    std::int32_t sum = 0;
    for (std::size_t d = 0; d < dims; ++d) sum += query[d] * (rows[i][d] - 128);
    sums[i] = sum;
  }
}

std::int32_t centre_codes_scalar(const std::uint8_t* codes, std::size_t dims,
                                 std::int8_t* numbers) noexcept {
  std::int32_t sum = 0;
  for (std::size_t d = 0; d < dims; ++d) {
    numbers[d] = static_cast<std::int8_t>(codes[d] - 128);
    sum += numbers[d];
  }
  return sum;
}

}  // namespace astraweave::simd
