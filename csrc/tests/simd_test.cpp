#include <cmath>
#include <random>
#include <vector>

#include "error.hpp"
#include "simd/classes/classes.hpp"
#include "simd/dot/dot.hpp"
#include "simd/half/half.hpp"
#include "simd/l2/l2.hpp"
#include "simd/scan/scan.hpp"
#include "tests/check.hpp"

namespace astraweave::tests {
namespace {

struct Exact {
  double dot = 0, magnitude = 0, l2 = 0;
};

Exact exact(const float* a, const float* b, std::size_t n) {
  Exact sum;
  for (std::size_t i = 0; i < n; ++i) {
    const double product = double{a[i]} * b[i];
    const double difference = double{a[i]} - b[i];
    sum.dot += product;
    sum.magnitude += std::abs(product);
    sum.l2 += difference * difference;
  }
  return sum;
}

std::vector<float> noise(std::size_t n, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(engine);
  return values;
}

// Exactly as many floats as the kernels may read: the sanitizer sees one more.
void kernels_keep_their_bounds(simd::Tier tier) {
  for (std::size_t n = 0; n < 140; ++n) {
    const auto a = noise(n, 1), b = noise(n, 2);
    const Exact want = exact(a.data(), b.data(), n);
    const double unit = std::ldexp(1.0, -23);
    CHECK(std::abs(simd::dot_f32_kernel(tier)(a.data(), b.data(), n) - want.dot) <=
          double(n + 1) * unit * want.magnitude + 1e-30);
    CHECK(std::abs(simd::l2_f32_kernel(tier)(a.data(), b.data(), n) - want.l2) <=
          double(n + 3) * unit * want.l2 + 1e-30);
    CHECK(simd::l2_f32_kernel(tier)(a.data(), a.data(), n) == 0);
  }
}

void scans_score_a_row_alike_everywhere(simd::Tier tier) {
  for (const simd::ScanF32 scan :
       {simd::scan_dot_f32_kernel(tier), simd::scan_l2_f32_kernel(tier)}) {
    const bool l2 = scan == simd::scan_l2_f32_kernel(tier);
    for (const std::size_t dims : {1u, 7u, 16u, 33u, 48u, 100u}) {
      for (std::size_t n = 0; n < 10; ++n) {
        const std::size_t stride = dims + n % 3;
        const auto query = noise(dims, 3);
        // The last row ends with the memory, without the fill of its stride.
        const auto rows = noise(n == 0 ? 0 : (n - 1) * stride + dims, 4);
        std::vector<float> scores(n), alone(1);
        scan(query.data(), rows.data(), stride, n, dims, scores.data());
        for (std::size_t r = 0; r < n; ++r) {
          const float* row = rows.data() + r * stride;
          scan(query.data(), row, dims, 1, dims, alone.data());
          CHECK(alone[0] == scores[r]);
          const Exact want = exact(query.data(), row, dims);
          const double bound = double(dims + 3) * std::ldexp(1.0, -23);
          CHECK(std::abs(scores[r] - (l2 ? want.l2 : want.dot)) <=
                bound * (l2 ? want.l2 : want.magnitude) + 1e-30);
        }
      }
    }
  }
}

// The float16 scans against those of float32 over the same numbers.
void scans_of_halves_agree(simd::Tier tier) {
  for (const std::size_t dims : {1u, 7u, 16u, 33u, 48u, 100u}) {
    for (std::size_t n = 0; n < 10; ++n) {
      const auto query = noise(dims, 5);
      auto rows = noise(n * dims, 6);
      std::vector<std::uint16_t> halves(rows.size());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        halves[i] = simd::to_half(rows[i]);
        rows[i] = simd::from_half(halves[i]);
      }
      std::vector<float> dot(n), l2(n);
      simd::scan_dot_f16_kernel(tier)(query.data(), halves.data(), dims, n, dims, dot.data());
      simd::scan_l2_f16_kernel(tier)(query.data(), halves.data(), dims, n, dims, l2.data());
      for (std::size_t r = 0; r < n; ++r) {
        const Exact want = exact(query.data(), rows.data() + r * dims, dims);
        const double bound = double(dims + 3) * std::ldexp(1.0, -23);
        CHECK(std::abs(dot[r] - want.dot) <= bound * want.magnitude + 1e-30);
        CHECK(std::abs(l2[r] - want.l2) <= bound * want.l2 + 1e-30);
      }
    }
  }
}

// Every byte at every place of a block, in memory of exactly the size that may be read.
void bytes_are_classified_alike(simd::Tier tier) {
  for (std::size_t n = 0; n < 200; ++n) {
    std::vector<char> text(n);
    for (std::size_t i = 0; i < n; ++i) text[i] = static_cast<char>(i * 37 + n * 11);
    std::vector<simd::ByteClasses> blocks((n + 63) / 64);
    simd::classify_bytes_kernel(tier)(text.data(), n, blocks.data());
    for (std::size_t i = 0; i < blocks.size() * 64; ++i) {
      const auto is = [&](std::uint64_t mask) { return (mask >> (i % 64) & 1) != 0; };
      const auto& block = blocks[i / 64];
      const int c = i < n ? static_cast<unsigned char>(text[i]) : 0;
      CHECK(is(block.capitals) == (c >= 'A' && c <= 'Z'));
      CHECK(is(block.letters) == ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')));
      CHECK(is(block.digits) == (c >= '0' && c <= '9'));
      CHECK(is(block.spaces) == (c == ' '));
      CHECK(is(block.apostrophes) == (c == '\''));
      CHECK(is(block.newlines) == (c == '\n'));
      CHECK(is(block.others) == (c >= 0x80 || (c >= 0x09 && c <= 0x0D)));
    }
  }
}

}  // namespace

void run_simd_tests() {
  bytes_are_classified_alike(simd::active_tier());
  kernels_keep_their_bounds(simd::active_tier());
  scans_score_a_row_alike_everywhere(simd::active_tier());
  scans_of_halves_agree(simd::active_tier());
  CHECK_THROWS((simd::force_tier("sse9"), 0), kConfig);
}

}  // namespace astraweave::tests
