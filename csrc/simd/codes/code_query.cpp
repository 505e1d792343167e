#include "simd/codes/code_query.hpp"

#include <algorithm>
#include <numeric>

namespace astraweave::simd {

CodeQuery::CodeQuery(std::span<const std::int8_t> numbers)
    : dims_(numbers.size()),
      sum_(std::accumulate(numbers.begin(), numbers.end(), std::int32_t{0})),
      numbers_((dims_ + kCodeBlock - 1) / kCodeBlock * kCodeBlock) {
  std::copy(numbers.begin(), numbers.end(), numbers_.begin());
}

}  // namespace astraweave::simd
