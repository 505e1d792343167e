#include "simd/codes/codes.hpp"

#include <cmath>
#include <cstdlib>
#include <random>
#include <vector>

#include "simd/half/half.hpp"
#include "simd/pick/pick.hpp"
#include "tests/check.hpp"

namespace astraweave::tests {
namespace {

template <class T>
std::vector<T> numbers(std::mt19937& engine, std::size_t n, int lowest, int highest) {
  std::uniform_int_distribution<int> any(lowest, highest);
  std::vector<T> values(n);
  for (T& value : values) value = static_cast<T>(any(engine));
  return values;
}

template <class Q>
std::int64_t exact(const Q* query, const std::uint8_t* row, std::size_t dims) {
  std::int64_t sum = 0;
  for (std::size_t d = 0; d < dims; ++d) sum += std::int64_t{query[d]} * row[d];
  return sum;
}

// Exactly as many codes as the kernel may read: the sanitizer sees one more.
void gathers_are_exact(simd::Tier tier) {
  const simd::GatherCodes gather = simd::gather_codes_kernel(tier);
  std::mt19937 engine(3);
  for (std::size_t dims = 0; dims < 200; dims += dims < 70 ? 1 : 13) {
    const std::size_t stride = dims + dims % 5;
    const auto query = numbers<std::int8_t>(engine, dims, -127, 127);
    const auto rows = numbers<std::uint8_t>(engine, 8 * stride + dims, 1, 255);
    for (std::size_t n = 0; n < 10; ++n) {
      const auto slots = numbers<std::uint32_t>(engine, n, 0, 8);
      std::vector<std::int32_t> sums(n);
      gather(query.data(), rows.data(), stride, slots.data(), n, dims, sums.data());
      for (std::size_t i = 0; i < n; ++i) {
        CHECK(sums[i] == exact(query.data(), rows.data() + slots[i] * stride, dims));
      }
    }
  }
}

void the_largest_sums_fit(simd::Tier tier) {
  constexpr std::size_t kDims = 65536;
  const std::uint32_t slot = 0;
  for (const int code : {1, 255}) {
    const std::vector<std::uint8_t> row(kDims, static_cast<std::uint8_t>(code));
    for (const int sign : {-1, 1}) {
      std::int32_t sum = 0;
      const std::vector<std::int8_t> small(kDims, static_cast<std::int8_t>(127 * sign));
      simd::gather_codes_kernel(tier)(small.data(), row.data(), 0, &slot, 1, kDims, &sum);
      CHECK(sum == exact(small.data(), row.data(), kDims));
      for (const std::size_t dims : {std::size_t{384}, kDims}) {
        const int most = simd::CodeQuery::kMost * sign;
        const std::vector<std::int8_t> large(dims, static_cast<std::int8_t>(most));
        const simd::CodeQuery query{large};
        simd::scan_codes_kernel(tier)(&query, 1, row.data(), kDims, 1, &sum);
        CHECK(sum == exact(large.data(), row.data(), dims));
      }
    }
  }
}

void scans_are_exact(simd::Tier tier) {
  const simd::ScanCodes scan = simd::scan_codes_kernel(tier);
  std::mt19937 engine(4);
  for (const std::size_t dims : {1u, 63u, 64u, 65u, 130u, 384u}) {
    const std::size_t padded = (dims + simd::kCodeBlock - 1) / simd::kCodeBlock * simd::kCodeBlock;
    const int most = simd::CodeQuery::kMost;
    for (std::size_t m = 0; m < 10; ++m) {
      std::vector<simd::CodeQuery> queries;
      std::vector<std::vector<std::int8_t>> raw;
      for (std::size_t q = 0; q < m; ++q) {
        raw.push_back(numbers<std::int8_t>(engine, dims, -most, most));
        queries.emplace_back(raw.back());
      }
      for (std::size_t n = 0; n < 8; ++n) {
        // What fills a row up may be anything.
        const auto rows = numbers<std::uint8_t>(engine, n * padded, 0, 255);
        std::vector<std::int32_t> sums(m * n);
        scan(queries.data(), m, rows.data(), padded, n, sums.data());
        for (std::size_t i = 0; i < m * n; ++i) {
          CHECK(sums[i] == exact(raw[i / n].data(), rows.data() + i % n * padded, dims));
        }
      }
    }
  }
}

// Rows that clearly pass are picked, rows that clearly fail are not; close ones may go either way.
void picks_are_right(simd::Tier tier) {
  std::mt19937 engine(5);
  for (std::size_t n = 0; n < 100; ++n) {
    const auto sums = numbers<std::int32_t>(engine, n, -100000, 100000);
    const auto scale = numbers<float>(engine, n, 1, 9);
    const auto residual = numbers<float>(engine, n, 0, 50);
    const auto length = numbers<float>(engine, n, 0, 400);
    const simd::CodeRowSpan rows{scale.data(), residual.data(), length.data()};
    std::vector<std::uint32_t> picked(n);
    const auto check = [&](std::size_t count, auto margin) {
      std::vector<bool> is_picked(n);
      for (std::size_t i = 0; i < count; ++i) {
        CHECK(picked[i] < n && (i == 0 || picked[i] > picked[i - 1]));
        is_picked[picked[i]] = true;
      }
      for (std::size_t r = 0; r < n; ++r) {
        const double by = margin(r, (sums[r] - 500.0) * scale[r] * 0.25);
        if (std::abs(by) > 1) CHECK(is_picked[r] == (by > 0));
      }
    };
    check(
        simd::pick_dot_kernel(tier)(sums.data(), n, rows, {500, 0.25f, 3, 2, 1000}, picked.data()),
        [&](std::size_t r, double a) { return a + 3 * residual[r] + 2 * length[r] - 1000; });
    check(simd::pick_l2_kernel(tier)(sums.data(), n, rows, {500, 0.25f, 0.5f, 9000, 300},
                                     picked.data()),
          [&](std::size_t r, double a) {
            const double reach = 300.0 + residual[r];
            return reach * reach - (a + 0.5 * length[r] * length[r] + 9000);
          });
  }
  const std::vector<std::int32_t> sums(20);
  const std::vector<float> nothing(20, std::nanf(""));
  std::vector<std::uint32_t> picked(20);
  const simd::CodeRowSpan rows{nothing.data(), nothing.data(), nothing.data()};
  CHECK(simd::pick_dot_kernel(tier)(sums.data(), 20, rows, {}, picked.data()) == 20);
  CHECK(simd::pick_l2_kernel(tier)(sums.data(), 20, rows, {}, picked.data()) == 20);
}

void half_precision_is_that_of_the_standard() {
  CHECK(simd::from_half(0x3c00) == 1.0f && simd::from_half(0xc000) == -2.0f);
  CHECK(simd::from_half(0x7bff) == 65504.0f && simd::from_half(0x0001) == 0x1p-24f);
  CHECK(simd::to_half(65519.0f) == 0x7bff && simd::to_half(65520.0f) == 0x7c00);
  CHECK(simd::to_half(0x1p-25f) == 0 && simd::to_half(0x1.8p-25f) == 1);
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    if ((bits & 0x7c00) == 0x7c00) continue;
    const float value = simd::from_half(half);
    CHECK(simd::to_half(value) == half);
    if ((bits & 0x7fff) >= 0x7bff) continue;
    const float next = simd::from_half(static_cast<std::uint16_t>(bits + 1));
    const float middle = (value + next) / 2;  // exact; ties go to the even one
    CHECK(simd::to_half(middle) == (bits + (bits & 1)));
    CHECK(simd::to_half(std::nextafter(middle, value)) == half);
  }
}

}  // namespace

void run_codes_tests() {
  gathers_are_exact(simd::active_tier());
  the_largest_sums_fit(simd::active_tier());
  scans_are_exact(simd::active_tier());
  picks_are_right(simd::active_tier());
  half_precision_is_that_of_the_standard();
}

}  // namespace astraweave::tests
