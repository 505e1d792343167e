// How far the score of a row can be from what its codes say.
//
// A row x is kept beside y = s * c (whole numbers c; code_rows.hpp), with e >= |x - y| and Y = |y|,
// where |.| is the Euclidean length. A query q is rounded to p = t * u (whole numbers u), with
// d >= |q - p|. The scan gives the whole number <u, c> exactly, hence <p, y> = s * t * <u, c>.
//
// Inner product. <q, x> = <p, y> + <q - p, y> + <q, x - y>, so by Cauchy and Schwarz
//     | <q, x> - <p, y> |  <=  d * Y + |q| * e.
// The score that a search returns is the float32 scan's, which may be off <q, x> by w * |q| * |x|,
// w = (dims + 1) * 2^-23 (simd/scan/scan.hpp), and |x| <= Y + e. In all
//     | score - <p, y> |  <=  (|q| * (1 + w)) * e + (d + w * |q|) * Y.
//
// Distance. By the triangle inequality | |q - x| - |p - y| | <= d + e =: r. There is no such bound
// of the square that does not grow with |q|, so the square root is bounded:
// D = |p - y|^2 = |p|^2 + Y^2 - 2 <p, y>, which in float32 cancels; what is computed is off by no
// more than v = 2^-19 * (|p|^2 + Y^2), eight times what its few operations can lose. The squared
// distance f that the scan returns is off by (dims + 3) * 2^-23 of itself. So
//     (sqrt(max(0, D - v)) - r)^2 * (1 - w)  <=  f  <=  (sqrt(D + v) + r)^2 * (1 + w).
//
// A search for k rows keeps the k-th best lower bound T of a score. There are k rows that score at
// least T, so a row whose upper bound is below T is not among the k best, nor does it tie with the
// last of them. Every other row is scored in floats: the result is that of scoring all.
//
// The weights below are a little larger than the formulas, for the rounding of their own
// evaluation: each of its few operations may lose 2^-24.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "index/code_rows.hpp"
#include "simd/codes/code_query.hpp"
#include "simd/pick/pick.hpp"
#include "simd/tier.hpp"

namespace astraweave::index {

// A query in whole numbers: q is about scale * numbers.
struct RoundedQuery {
  std::vector<std::int8_t> numbers;  // -31 to 31
  float scale = 0;
  double error = 0;    // at least |q - scale * numbers|
  double length = 0;   // at least |q|, the same for
  double rounded = 0;  // |scale * numbers|
};

// `query` has dims finite floats.
RoundedQuery round_query(const float* query, std::size_t dims);

struct Interval {
  float least;
  float most;
};

// The bounds of one query's scores (distances squared and negated).
class RowBounds {
 public:
  // `sum` of the query's numbers.
  RowBounds(const RoundedQuery& query, std::size_t dims, std::int32_t sum, bool l2) noexcept;

  // Rows that cannot score `threshold` are passed over.
  std::size_t pick(float threshold, const std::int32_t* sums, std::size_t n,
                   const simd::CodeRowSpan& rows, std::uint32_t* picked) const noexcept;
  Interval of(std::int32_t sum, const CodeRows& rows, std::size_t slot) const noexcept;
  // Numbers in about the order of the scores, for a guess which rows are the best; may be NaN.
  void estimate(const std::int32_t* sums, std::size_t n, const simd::CodeRowSpan& rows,
                float* out) const noexcept;

 private:
  bool l2_;
  simd::Tier tier_;
  double scale_;
  double error_;
  double rounded_;
  double loss_;  // of the float32 scan, relative
  simd::DotPick dot_{};
  simd::L2Pick l2_pick_{};
};

}  // namespace astraweave::index
