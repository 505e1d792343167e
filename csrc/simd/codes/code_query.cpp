#include "simd/codes/code_query.hpp"

#include <algorithm>

namespace astraweave::simd {

std::int32_t CodeQuery::limit(std::size_t dims) noexcept {
  constexpr std::int64_t kLargestSum = 0x7fffffff;
  const std::int64_t fits =
      kLargestSum / (255 * static_cast<std::int64_t>(std::max<std::size_t>(dims, 1)));
  return static_cast<std::int32_t>(std::min<std::int64_t>(fits, kMaxQuery));
}

CodeQuery::CodeQuery(std::span<const std::int16_t> numbers)
    : dims_(numbers.size()),
      wide_((dims_ + kCodeBlock - 1) / kCodeBlock * kCodeBlock),
      halves_(2 * wide_.size()) {
  std::copy(numbers.begin(), numbers.end(), wide_.begin());
  for (std::size_t first = 0; first < wide_.size(); first += kCodeBlock) {
    const std::int16_t* from = wide_.data() + first;
    std::int8_t* high = halves_.data() + 2 * first;
    std::int8_t* low = high + kCodeBlock;
    for (std::size_t i = 0; i < kCodeBlock; ++i) {
      high[i] = static_cast<std::int8_t>(from[i] >> 7);
      low[i] = static_cast<std::int8_t>(from[i] & 127);
      sum_ += from[i];
    }
  }
}

}  // namespace astraweave::simd
