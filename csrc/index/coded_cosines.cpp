#include "index/coded_cosines.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "simd/codes/codes.hpp"

namespace astraweave::index {
namespace {

constexpr std::size_t kRowsAtOnce = 64;  // 24 kB of codes: in the first cache for the lower half
constexpr float kFine = 62.0F;           // steps of the lower half in one of the upper
constexpr std::int32_t kCentre = 128;

}  // namespace

void coded_cosines(std::span<const float> query, const std::uint8_t* rows, const float* scales,
                   std::size_t n, float* cosines) {
  float most = 0.0F;
  for (const float value : query) most = std::max(most, std::abs(value));
  const float step = std::max(most / static_cast<float>(simd::CodeQuery::kMost),
                              std::numeric_limits<float>::min());
  std::vector<std::int8_t> upper(query.size()), lower(query.size());
  for (std::size_t d = 0; d < query.size(); ++d) {
    const float scaled = std::clamp(query[d] / step, -31.0F, 31.0F), whole = std::nearbyint(scaled);
    upper[d] = static_cast<std::int8_t>(whole);
    lower[d] = static_cast<std::int8_t>(std::nearbyint((scaled - whole) * kFine));
  }
  const simd::CodeQuery halves[2] = {simd::CodeQuery(upper), simd::CodeQuery(lower)};
  const auto scan = simd::scan_codes_kernel(simd::active_tier());
  const std::size_t stride = halves[0].blocks() * simd::kCodeBlock;
  std::array<std::int32_t, 2 * kRowsAtOnce> sums;
  for (std::size_t start = 0; start < n; start += kRowsAtOnce) {
    const std::size_t count = std::min(kRowsAtOnce, n - start);
    scan(halves, 2, rows + start * stride, stride, count, sums.data());
    for (std::size_t r = 0; r < count; ++r) {
      const auto high = static_cast<float>(sums[r] - kCentre * halves[0].sum());
      const auto low = static_cast<float>(sums[count + r] - kCentre * halves[1].sum());
      cosines[start + r] = (high + low / kFine) * step * scales[start + r];
    }
  }
}

}  // namespace astraweave::index
