#include "simd/pick/pick.hpp"

namespace astraweave::simd {
namespace {

// Rows looked at together: compilers turn the loop over them into what wide registers they have.
constexpr std::size_t kTogether = 16;

template <class Fails>
std::size_t pick_rows(std::size_t n, std::uint32_t* picked, Fails fails) noexcept {
  std::size_t count = 0;
  std::size_t i = 0;
  for (; i + kTogether <= n; i += kTogether) {
    std::int32_t out[kTogether];
    std::int32_t all = 1;
    for (std::size_t j = 0; j < kTogether; ++j) {
      out[j] = fails(i + j) ? 1 : 0;
      all &= out[j];
    }
    if (all != 0) continue;
    for (std::size_t j = 0; j < kTogether; ++j) {
      if (out[j] == 0) picked[count++] = static_cast<std::uint32_t>(i + j);
    }
  }
  for (; i < n; ++i) {
    if (!fails(i)) picked[count++] = static_cast<std::uint32_t>(i);
  }
  return count;
}

}  // namespace

std::size_t pick_dot_scalar(const std::int32_t* sums, std::size_t n, const CodeRowSpan& rows,
                            const DotPick& pick, std::uint32_t* picked) noexcept {
  return pick_rows(n, picked, [=](std::size_t r) {
    const float a = static_cast<float>(sums[r] - pick.bias) * rows.scale[r] * pick.query_scale;
    return a + (pick.residual_weight * rows.residual[r] + pick.length_weight * rows.length[r]) <
           pick.threshold;
  });
}

std::size_t pick_l2_scalar(const std::int32_t* sums, std::size_t n, const CodeRowSpan& rows,
                           const L2Pick& pick, std::uint32_t* picked) noexcept {
  return pick_rows(n, picked, [=](std::size_t r) {
    const float a = static_cast<float>(sums[r] - pick.bias) * rows.scale[r] * pick.query_scale;
    const float reach = pick.threshold + rows.residual[r];
    return a + (pick.shrink * (rows.length[r] * rows.length[r]) + pick.base) > reach * reach;
  });
}

}  // namespace astraweave::simd
