// The kernels of simd/attend against exact arithmetic over the numbers as stored, in memory of
// exactly the size that may be touched.
#include "simd/attend/attend.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "simd/half/half.hpp"
#include "tests/check.hpp"

namespace astraweave::tests {
namespace {

using simd::KvKind;

struct Pages {
  KvKind kind;
  std::size_t head_size, tokens;
  std::vector<std::vector<std::byte>> blocks;
  std::vector<const std::byte*> places;

  double key(std::size_t t, std::size_t d) const { return number(t, d * 16 + t % 16, 0); }
  double value(std::size_t t, std::size_t d) const {
    return number(t, (16 + t % 16) * head_size + d, 16);
  }
  double number(std::size_t t, std::size_t i, std::size_t scales) const {
    const std::byte* block = blocks[t / 16].data();
    if (kind == KvKind::kHalf) {
      return simd::from_half(reinterpret_cast<const std::uint16_t*>(block)[i]);
    }
    const auto* scale = reinterpret_cast<const float*>(block + 32 * head_size);
    return double{scale[scales + t % 16]} * reinterpret_cast<const std::int8_t*>(block)[i];
  }
};

std::vector<float> noise(std::mt19937& engine, std::size_t n, float size = 1) {
  std::normal_distribution<float> normal(0, size);
  std::vector<float> values(n);
  for (float& value : values) value = normal(engine);
  return values;
}

// Whole pages are filled: what a row may not see is there.
Pages filled(const simd::AttendKernels& kernels, KvKind kind, std::size_t head_size,
             std::size_t pages, std::mt19937& engine) {
  Pages made{kind, head_size, pages * 16, {}, {}};
  for (std::size_t p = 0; p < pages; ++p) {
    auto& block = made.blocks.emplace_back(simd::block_bytes(kind, head_size));
    for (std::size_t slot = 0; slot < 16; ++slot) {
      const auto key = noise(engine, head_size), value = noise(engine, head_size);
      kernels.store(block.data(), slot, head_size, key.data(), value.data());
    }
  }
  for (const auto& block : made.blocks) made.places.push_back(block.data());
  return made;
}

// A partial against what double precision says of the same stored numbers.
void check_partial(const Pages& pages, const std::vector<float>& query, std::size_t tokens,
                   float scale, const float* got) {
  const std::size_t n = pages.head_size;
  std::vector<double> scores(tokens), sums(n), sizes(n);
  double largest = -INFINITY, worst = 0, total = 0;
  for (std::size_t t = 0; t < tokens; ++t) {
    double size = 0;
    for (std::size_t d = 0; d < n; ++d) {
      scores[t] += query[d] * pages.key(t, d) * scale;
      size += std::abs(query[d] * pages.key(t, d) * scale);
    }
    largest = std::max(largest, scores[t]);
    worst = std::max(worst, size);
  }
  const double unit = std::ldexp(1.0, -24);
  const double score_error = double(n + 3) * unit * worst;
  CHECK(std::abs(got[n] - largest) <= score_error);
  for (std::size_t t = 0; t < tokens; ++t) {
    const double weight = std::exp(scores[t] - double{got[n]});
    total += weight;
    for (std::size_t d = 0; d < n; ++d) {
      sums[d] += weight * pages.value(t, d);
      sizes[d] += std::abs(weight * pages.value(t, d));
    }
  }
  const double relative = 1.5 * score_error + 140 * unit;
  CHECK(std::abs(got[n + 1] - total) <= relative * total);
  for (std::size_t d = 0; d < n; ++d) CHECK(std::abs(got[d] - sums[d]) <= relative * sizes[d]);
}

void rows_attend_as_they_should(simd::Tier tier, KvKind kind) {
  const auto kernels = simd::attend_kernels(tier, kind);
  std::mt19937 engine(7);
  for (const std::size_t head_size : {16u, 32u, 64u, 80u, 112u, 128u, 256u}) {
    for (std::size_t pages = 1; pages <= simd::kSpanPages; ++pages) {
      const Pages memory = filled(kernels, kind, head_size, pages, engine);
      const std::size_t n = (head_size + 3 * pages) % 14 + 1;
      std::vector<std::vector<float>> queries, partials;
      std::vector<simd::AttendRow> rows;
      for (std::size_t r = 0; r < n; ++r) {
        queries.push_back(noise(engine, head_size));
        partials.emplace_back(head_size + 2);
        rows.push_back({queries[r].data(), 1 + engine() % (pages * 16), partials[r].data()});
      }
      const simd::AttendSpan span{memory.places.data(), pages, head_size,
                                  1 / std::sqrt(float(head_size))};
      kernels.attend(rows.data(), n, span);
      for (std::size_t r = 0; r < n; ++r) {
        check_partial(memory, queries[r], rows[r].tokens, span.scale, partials[r].data());
        // Alone, and with fewer pages where it sees no more: the same bits.
        std::vector<float> alone(head_size + 2);
        simd::AttendRow row = rows[r];
        row.partial = alone.data();
        simd::AttendSpan less = span;
        less.pages = (row.tokens + 15) / 16;
        kernels.attend(&row, 1, less);
        CHECK(std::memcmp(alone.data(), partials[r].data(), alone.size() * sizeof(float)) == 0);
      }
    }
  }
}

void folding_is_one_softmax(simd::Tier tier) {
  const auto kernels = simd::attend_kernels(tier, KvKind::kHalf);
  std::mt19937 engine(3);
  for (const float apart : {0.0f, 1.0f, -20.0f, 60.0f, 200.0f, -200.0f}) {
    for (const std::size_t n : {16u, 64u, 80u}) {
      auto a = noise(engine, n + 2), b = noise(engine, n + 2);
      a[n + 1] = 2.5f;
      b[n + 1] = 7.25f;
      b[n] = a[n] + apart;
      const auto before = a;
      kernels.fold(a.data(), b.data(), n);
      std::vector<float> out(n);
      kernels.finish(a.data(), n, out.data());
      const double most = std::max(before[n], b[n]);
      const double old_part = std::exp(before[n] - most), new_part = std::exp(b[n] - most);
      const double total = old_part * 2.5 + new_part * 7.25;
      for (std::size_t d = 0; d < n; ++d) {
        const double want = (old_part * before[d] + new_part * b[d]) / total;
        const double size = (std::abs(old_part * before[d]) + std::abs(new_part * b[d])) / total;
        CHECK(std::abs(out[d] - want) <= std::ldexp(16.0, -24) * size + 1e-36);
      }
    }
  }
}

// The bound of bytes, and that nothing infinite is ever stored.
void stored_numbers_are_near_and_finite(simd::Tier tier, KvKind kind) {
  const auto kernels = simd::attend_kernels(tier, kind);
  const float odd[] = {INFINITY,  -INFINITY, NAN,   1e30f, -70000.0f, 65504.0f,
                       65519.99f, 1e-41f,    -0.0f, 1e-8f, 3.14159f};
  std::mt19937 engine(11);
  for (const std::size_t n : {16u, 64u, 80u}) {
    for (int round = 0; round < 40; ++round) {
      Pages memory{kind, n, 16, {std::vector<std::byte>(simd::block_bytes(kind, n))}, {}};
      auto key = noise(engine, n, round % 3 == 0 ? 1e-3f : 10.0f);
      auto value = noise(engine, n, round % 4 == 0 ? 1e-33f : 1.0f);
      if (round % 2 == 1) key[engine() % n] = odd[static_cast<std::size_t>(round) % 11];
      if (round % 2 == 1) value[engine() % n] = odd[static_cast<std::size_t>(round / 2) % 11];
      const std::size_t slot = static_cast<std::size_t>(round) % 16;
      kernels.store(memory.blocks[0].data(), slot, n, key.data(), value.data());
      const auto finite = [](float x) {
        return std::isnan(x) ? x : std::min(std::max(x, -65504.0f), 65504.0f);
      };
      const auto largest = [&](const std::vector<float>& row) {
        double most = 0;
        for (const float x : row) most = std::max(most, double{std::abs(finite(x))});
        return std::any_of(row.begin(), row.end(), [](float x) { return std::isnan(x); }) ? 65504
                                                                                          : most;
      };
      for (std::size_t d = 0; d < n; ++d) {
        for (const bool is_key : {true, false}) {
          const float from = is_key ? key[d] : value[d];
          const double got = is_key ? memory.key(slot, d) : memory.value(slot, d);
          CHECK(std::isfinite(got));
          if (std::isnan(from)) {
            CHECK(std::abs(got) >= 65503);
            continue;
          }
          const double near =
              kind == KvKind::kHalf
                  ? std::max(std::abs(finite(from)) * std::ldexp(1.0, -11), std::ldexp(1.0, -25))
                  : largest(is_key ? key : value) / 254 * (1 + 1.0 / 32768);
          CHECK(std::abs(got - finite(from)) <= std::max(near, double{simd::kTinyRow}));
        }
      }
    }
  }
}

void a_query_that_is_none_gives_none(simd::Tier tier, KvKind kind) {
  const auto kernels = simd::attend_kernels(tier, kind);
  std::mt19937 engine(5);
  const Pages memory = filled(kernels, kind, 64, 2, engine);
  std::vector<float> query = noise(engine, 64), state(66), more(66), out(64);
  query[9] = std::numeric_limits<float>::quiet_NaN();
  const simd::AttendRow first{query.data(), 30, state.data()};
  const simd::AttendRow second{query.data(), 3, more.data()};
  const simd::AttendSpan span{memory.places.data(), 2, 64, 0.125f};
  kernels.attend(&first, 1, span);
  kernels.attend(&second, 1, span);
  kernels.fold(state.data(), more.data(), 64);
  kernels.finish(state.data(), 64, out.data());
  for (const float x : out) CHECK(std::isnan(x));
}

}  // namespace

void run_attend_tests() {
  const simd::Tier tier = simd::active_tier();
  folding_is_one_softmax(tier);
  for (const KvKind kind : {KvKind::kHalf, KvKind::kByte}) {
    rows_attend_as_they_should(tier, kind);
    stored_numbers_are_near_and_finite(tier, kind);
    a_query_that_is_none_gives_none(tier, kind);
  }
}

}  // namespace astraweave::tests
