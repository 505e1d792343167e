#include "index/code_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "simd/half/half.hpp"

namespace astraweave::index {
namespace {

constexpr float kSmallest = 1e-30f;
constexpr double kLongest = 1e18;

// To the nearest whole number for |x| < 2^22, in a form that compilers vectorise.
inline float rounded(float x) noexcept {
  constexpr float kShift = 12582912.0f;
  return (x + kShift) - kShift;
}

inline float number_of(float x) noexcept { return x; }
inline float number_of(std::uint16_t half) noexcept { return simd::from_half(half); }

}  // namespace

void CodeRows::decode(std::size_t slot, float* out) const noexcept {
  const std::uint8_t* codes = row(slot);
  const float by = scales_[slot];
  for (std::size_t i = 0; i < dims(); ++i) out[i] = static_cast<float>(codes[i] - 128) * by;
}

void CodeRows::reserve_more(std::size_t n) {
  codes_.reserve_more(n);
  for (std::vector<float>* each : {&scales_, &residuals_, &lengths_}) {
    const std::size_t wanted = each->size() + n;
    if (wanted > each->capacity()) each->reserve(std::max(wanted, each->capacity() * 3 / 2));
  }
}

void CodeRows::push_zero() {
  std::fill_n(codes_.push_zero(), dims(), std::uint8_t{128});
  scales_.push_back(0);
  residuals_.push_back(0);
  lengths_.push_back(0);
}

void CodeRows::append(const CodeRows& more) {
  codes_.append(more.codes_);
  scales_.insert(scales_.end(), more.scales_.begin(), more.scales_.end());
  residuals_.insert(residuals_.end(), more.residuals_.begin(), more.residuals_.end());
  lengths_.insert(lengths_.end(), more.lengths_.begin(), more.lengths_.end());
}

template <class T>
void CodeRows::encode(std::size_t slot, const T* vector) noexcept {
  float largest = 0;
  for (std::size_t i = 0; i < dims(); ++i) {
    largest = std::max(largest, std::abs(number_of(vector[i])));
  }
  std::uint8_t* codes = codes_.writable(slot);
  if (largest < kSmallest) {
    std::fill_n(codes, dims(), std::uint8_t{128});
    scales_[slot] = 0;
    return;
  }
  scales_[slot] = largest / 127.0f;
  const float by = 127.0f / largest;
  for (std::size_t i = 0; i < dims(); ++i) {
    codes[i] =
        static_cast<std::uint8_t>(static_cast<int>(rounded(number_of(vector[i]) * by)) + 128);
  }
}

// `row` gives the i-th number of what the codes stand for.
template <class Row>
void CodeRows::measure(std::size_t slot, Row row) noexcept {
  const std::uint8_t* codes = codes_.row(slot);
  const double by = scales_[slot];
  std::int64_t squares = 0;
  double apart = 0;  // the products are exact, and so nearly are the differences
  for (std::size_t i = 0; i < dims(); ++i) {
    const int number = codes[i] - 128;
    squares += std::int64_t{number} * number;
    const double difference = double{row(i)} - by * number;
    apart += difference * difference;
  }
  const double length = by * std::sqrt(static_cast<double>(squares));
  lengths_[slot] = static_cast<float>(length);
  // The float nearest to it may be lower by 2^-24 of it; the sum may have lost 2^-35 of itself.
  const double residual = std::sqrt(apart) * (1 + 0x1p-20) + 1e-36;
  residuals_[slot] = length + residual > kLongest ? std::numeric_limits<float>::infinity()
                                                  : static_cast<float>(residual);
}

void CodeRows::write(std::size_t slot, const float* vector) noexcept {
  encode(slot, vector);
  measure(slot, [vector](std::size_t i) { return vector[i]; });
}

void CodeRows::write(std::size_t slot, const std::uint16_t* vector) noexcept {
  encode(slot, vector);
  measure(slot, [vector](std::size_t i) { return simd::from_half(vector[i]); });
}

void CodeRows::write_rounded(std::size_t slot, const float* vector) noexcept {
  encode(slot, vector);
  measure_rounded(slot);
}

void CodeRows::write_codes(std::size_t slot, const std::uint8_t* codes, float scale) noexcept {
  std::copy_n(codes, dims(), codes_.writable(slot));
  scales_[slot] = scale;
  measure_rounded(slot);
}

void CodeRows::measure_rounded(std::size_t slot) noexcept {
  const std::uint8_t* codes = codes_.row(slot);
  const float by = scales_[slot];
  measure(slot, [=](std::size_t i) { return static_cast<float>(codes[i] - 128) * by; });
}

void CodeRows::pop() noexcept {
  codes_.pop();
  scales_.pop_back();
  residuals_.pop_back();
  lengths_.pop_back();
}

void CodeRows::copy_from(const CodeRows& other, std::size_t from, std::size_t to) noexcept {
  codes_.copy_from(other.codes_, from, to);
  scales_[to] = other.scales_[from];
  residuals_[to] = other.residuals_[from];
  lengths_[to] = other.lengths_[from];
}

}  // namespace astraweave::index
