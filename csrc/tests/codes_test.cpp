#include "simd/codes/codes.hpp"

#include <cstdlib>
#include <random>
#include <vector>

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
        const int most = simd::CodeQuery::limit(dims) * sign;
        const std::vector<std::int16_t> large(dims, static_cast<std::int16_t>(most));
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
    const int most = simd::CodeQuery::limit(dims);
    for (std::size_t m = 0; m < 10; ++m) {
      std::vector<simd::CodeQuery> queries;
      std::vector<std::vector<std::int16_t>> raw;
      for (std::size_t q = 0; q < m; ++q) {
        raw.push_back(numbers<std::int16_t>(engine, dims, -most, most));
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

}  // namespace

void run_codes_tests() {
  gathers_are_exact(simd::active_tier());
  the_largest_sums_fit(simd::active_tier());
  scans_are_exact(simd::active_tier());
}

}  // namespace astraweave::tests
