// The exponential function over a register; included after one of wide/<tier>.hpp.
//
// exp(x) = 2^n * exp(r), n the whole number nearest x / ln 2, r the rest in two steps, |r| <= .347,
// where Cephes' polynomial of degree 7 is good to a fraction of a unit in the last place.
// Error <= 2 ulp for x from -87 to 87, 1 exactly at 0; 0 below -87 and for NaN; exp(87) above 87.
#pragma once

namespace astraweave::simd {
namespace {

constexpr float kExpReach = 87.0f;

ASTRAWEAVE_WIDE inline Wide exponential(Wide x) noexcept {
  const Wide within = least(most(x, spread(-kExpReach)), spread(kExpReach));
  const Wide n = nearest(multiply(within, spread(1.44269504f)));
  Wide r = multiply_add(n, spread(-0.693359375f), within);
  r = multiply_add(n, spread(2.12194440e-4f), r);
  Wide sum = spread(1.9875691500e-4f);
  sum = multiply_add(sum, r, spread(1.3981999507e-3f));
  sum = multiply_add(sum, r, spread(8.3334519073e-3f));
  sum = multiply_add(sum, r, spread(4.1665795894e-2f));
  sum = multiply_add(sum, r, spread(1.6666665459e-1f));
  sum = multiply_add(sum, r, spread(5.0000001201e-1f));
  sum = multiply_add(sum, multiply(r, r), add(r, spread(1.0f)));
  return keep_from(multiply(sum, power_of_two(n)), x, -kExpReach);
}

}  // namespace
}  // namespace astraweave::simd
