#include "simd/codes/codes.hpp"

namespace astraweave::simd {

void gather_codes_scalar(const std::int8_t* query, const std::uint8_t* rows, std::size_t stride,
                         const std::uint32_t* slots, std::size_t n, std::size_t dims,
                         std::int32_t* sums) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint8_t* row = rows + slots[i] * stride;
    std::int32_t sum = 0;
    for (std::size_t d = 0; d < dims; ++d) sum += query[d] * row[d];
    sums[i] = sum;
  }
}

void scan_codes_scalar(const CodeQuery* queries, std::size_t m, const std::uint8_t* rows,
                       std::size_t stride, std::size_t n, std::int32_t* sums) noexcept {
  for (std::size_t q = 0; q < m; ++q) {
    const std::int8_t* query = queries[q].numbers();
    for (std::size_t r = 0; r < n; ++r) {
      const std::uint8_t* row = rows + r * stride;
      std::int32_t sum = 0;
      for (std::size_t d = 0; d < queries[q].dims(); ++d) sum += query[d] * row[d];
      sums[q * n + r] = sum;
    }
  }
}

}  // namespace astraweave::simd
