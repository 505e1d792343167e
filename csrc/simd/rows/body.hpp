// The kernels of rows.hpp in the words of wide/words.md. A rest that does not fill a register goes
// through one all the same, by way of the stack, so that a number's result does not depend on where
// it stands.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "simd/rows/rows.hpp"
#include "simd/wide/exp.hpp"

namespace astraweave::simd {
namespace {

ASTRAWEAVE_WIDE inline Wide load_some(const float* from, std::size_t count) noexcept {
  float some[kWide] = {};
  std::copy_n(from, count, some);
  return load(some);
}

ASTRAWEAVE_WIDE inline void store_some(float* to, Wide x, std::size_t count) noexcept {
  float some[kWide];
  store(some, x);
  std::copy_n(some, count, to);
}

// Four sums, so that none waits for the one before.
ASTRAWEAVE_WIDE float sum_of_squares(const float* x, std::size_t n) noexcept {
  Wide sums[4] = {spread(0.0f), spread(0.0f), spread(0.0f), spread(0.0f)};
  std::size_t i = 0;
  for (; i + 4 * kWide <= n; i += 4 * kWide) {
    ASTRAWEAVE_UNROLL
    for (std::size_t s = 0; s < 4; ++s) {
      const Wide some = load(x + i + s * kWide);
      sums[s] = multiply_add(some, some, sums[s]);
    }
  }
  for (; i < n; i += kWide) {
    const Wide some = load_some(x + i, std::min(kWide, n - i));
    sums[0] = multiply_add(some, some, sums[0]);
  }
  return sum_of(add(add(sums[0], sums[1]), add(sums[2], sums[3])));
}

ASTRAWEAVE_WIDE void rms_norm(const float* x, const float* weight, float epsilon, std::size_t n,
                              float* out) noexcept {
  const float mean = sum_of_squares(x, n) / static_cast<float>(n);
  const Wide factor = spread(1.0f / std::sqrt(mean + epsilon));
  std::size_t i = 0;
  for (; i + kWide <= n; i += kWide) {
    store(out + i, multiply(multiply(load(x + i), factor), load(weight + i)));
  }
  if (i == n) return;
  const Wide last = multiply(load_some(x + i, n - i), factor);
  store_some(out + i, multiply(last, load_some(weight + i, n - i)), n - i);
}

ASTRAWEAVE_WIDE void rope(float* head, const float* cos, const float* sin,
                          std::size_t head_size) noexcept {
  const std::size_t half = head_size / 2;
  const Wide none = spread(0.0f);
  for (std::size_t i = 0; i < half; i += kWide) {
    const std::size_t count = std::min(kWide, half - i);
    const bool whole = count == kWide;
    const Wide first = whole ? load(head + i) : load_some(head + i, count);
    const Wide second = whole ? load(head + half + i) : load_some(head + half + i, count);
    const Wide c = whole ? load(cos + i) : load_some(cos + i, count);
    const Wide s = whole ? load(sin + i) : load_some(sin + i, count);
    const Wide turned = multiply_add(first, c, subtract(none, multiply(second, s)));
    const Wide other = multiply_add(second, c, multiply(first, s));
    if (whole) {
      store(head + i, turned);
      store(head + half + i, other);
    } else {
      store_some(head + i, turned, count);
      store_some(head + half + i, other, count);
    }
  }
}

// Where exp(-gate) would not be a number any more, the result is as good as none.
ASTRAWEAVE_WIDE inline Wide gated(Wide gate, Wide up) noexcept {
  const Wide power = exponential(subtract(spread(0.0f), gate));
  const Wide open = divide(gate, add(spread(1.0f), power));
  return multiply(drop_below(open, gate, -kExpReach), up);
}

ASTRAWEAVE_WIDE void silu_multiply(const float* gate, const float* up, std::size_t n,
                                   float* out) noexcept {
  std::size_t i = 0;
  for (; i + kWide <= n; i += kWide) store(out + i, gated(load(gate + i), load(up + i)));
  if (i == n) return;
  store_some(out + i, gated(load_some(gate + i, n - i), load_some(up + i, n - i)), n - i);
}

}  // namespace
}  // namespace astraweave::simd
