#include "index/row_bounds.hpp"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>

namespace astraweave::index {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kWider = 1 + 0x1p-20;  // for the rounding of float32 evaluation
constexpr double kTiny = 1e-35;         // more than underflow can lose
constexpr double kLongest = 1e18;

// A float that is not below (not above) the number: what is added is more than rounding takes.
float up(double x) noexcept { return static_cast<float>(x + (std::abs(x) * 0x1p-23 + 1e-44)); }
float down(double x) noexcept { return -up(-x); }

// Sums are kept in lanes, so that no addition waits for the one before.
constexpr std::size_t kLanes = 4;

double total(const double (&sums)[kLanes]) noexcept {
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

float largest_of(const AlignedFloats& numbers) noexcept {
  float most[kLanes] = {};
  for (std::size_t i = 0; i < numbers.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float size = std::abs(numbers[i + lane]);
      most[lane] = most[lane] < size ? size : most[lane];
    }
  }
  return std::max(std::max(most[0], most[1]), std::max(most[2], most[3]));
}

}  // namespace

RoundedQuery round_query(const float* query, std::size_t dims) {
  RoundedQuery result;
  const std::size_t padded = (dims + kLanes - 1) / kLanes * kLanes;
  AlignedFloats wanted(padded);
  std::copy_n(query, dims, wanted.data());
  result.numbers.resize(padded);
  const float largest = largest_of(wanted);
  if (largest > 1e-30f) {
    const auto most = static_cast<float>(simd::CodeQuery::kMost);
    result.scale = largest / most;
    // A shade less than most / largest: rounding must not lift the largest above the limit.
    const float by = most / largest * (1 - 0x1p-22f);
    constexpr float kShift = 12582912.0f;  // adding it rounds to a whole number
    for (std::size_t i = 0; i < padded; ++i) {
      result.numbers[i] = static_cast<std::int8_t>((wanted[i] * by + kShift) - kShift);
    }
  }
  double apart[kLanes] = {}, squares[kLanes] = {};
  std::int32_t whole = 0;  // at most 65,536 * 31^2
  for (const std::int8_t number : result.numbers) whole += number * number;
  for (std::size_t i = 0; i < padded; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double number = wanted[i + lane];
      const double kept = double{result.scale} * result.numbers[i + lane];
      apart[lane] += (number - kept) * (number - kept);
      squares[lane] += number * number;
    }
  }
  result.numbers.resize(dims);
  result.error = std::sqrt(total(apart)) * kWider + kTiny;
  result.length = std::sqrt(total(squares)) * kWider;
  result.rounded = result.scale * std::sqrt(static_cast<double>(whole));
  return result;
}

RowBounds::RowBounds(const RoundedQuery& query, std::size_t dims, std::int32_t sum,
                     bool l2) noexcept
    : l2_(l2),
      tier_(simd::active_tier()),
      scale_(query.scale),
      error_(query.length > kLongest ? kInfinity : query.error),
      rounded_(query.rounded),
      // Scans run over the fill as well, which rounds no more than a vector of that length may.
      loss_(static_cast<double>(dims + 19) * 0x1p-23) {
  const double length_weight = error_ + loss_ * query.length + 0x1p-21 * rounded_;
  dot_ = {128 * sum, query.scale, up(query.length * (1 + loss_) * kWider),
          up(length_weight * kWider), -std::numeric_limits<float>::infinity()};
  l2_pick_ = {128 * sum, -2 * query.scale, 1 - 0x1p-19f, down(rounded_ * rounded_ * (1 - 0x1p-19)),
              std::numeric_limits<float>::infinity()};
}

std::size_t RowBounds::pick(float threshold, const std::int32_t* sums, std::size_t n,
                            const simd::CodeRowSpan& rows, std::uint32_t* picked) const noexcept {
  if (l2_) {
    // f > -threshold holds for sure where sqrt(D - v) - r > sqrt(-threshold / (1 - w)).
    const double reach = std::sqrt(std::max(0.0, -double{threshold}) / (1 - loss_)) + error_;
    simd::L2Pick pick = l2_pick_;
    pick.threshold = up(reach * kWider + 1e-17);
    return simd::pick_l2_kernel(tier_)(sums, n, rows, pick, picked);
  }
  simd::DotPick pick = dot_;
  pick.threshold = down(threshold - kTiny);
  return simd::pick_dot_kernel(tier_)(sums, n, rows, pick, picked);
}

void RowBounds::estimate(const std::int32_t* sums, std::size_t n, const simd::CodeRowSpan& rows,
                         float* out) const noexcept {
  for (std::size_t r = 0; r < n; ++r) {
    const float product = static_cast<float>(sums[r] - dot_.bias) * rows.scale[r];
    out[r] = product * dot_.query_scale;
  }
  if (!l2_) return;
  for (std::size_t r = 0; r < n; ++r) out[r] = 2 * out[r] - rows.length[r] * rows.length[r];
}

Interval RowBounds::of(std::int32_t sum, const CodeRows& rows, std::size_t slot) const noexcept {
  constexpr float kNone = std::numeric_limits<float>::infinity();
  const double residual = rows.residual(slot);
  const double length = rows.length(slot);
  const double product = (static_cast<double>(sum) - dot_.bias) * rows.scale(slot) * scale_;
  if (!std::isfinite(residual) || !std::isfinite(error_)) return {-kNone, kNone};
  if (l2_) {
    const double squares = rounded_ * rounded_ + length * length;
    const double apart = squares - 2 * product;
    const double loss = 0x1p-19 * squares;
    const double reach = (error_ + residual) * kWider + 1e-17;
    const double near = std::max(0.0, std::sqrt(std::max(0.0, apart - loss)) - reach);
    const double far = std::sqrt(std::max(0.0, apart + loss)) + reach;
    return {down(-far * far * (1 + loss_)), up(-near * near * (1 - loss_))};
  }
  const double slack =
      double{dot_.residual_weight} * residual + double{dot_.length_weight} * length + kTiny;
  return {down(product - slack), up(product + slack)};
}

}  // namespace astraweave::index
