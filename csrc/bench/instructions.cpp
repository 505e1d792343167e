// The hot kernels on fixed data, one in a process, for counting the instructions of each: unlike
// times, they are the same in every run and on every machine. .ci/instructions runs it.
//
//     instructions            the names of the kernels
//     instructions NAME       runs one and prints how many items it did
//
// A new kernel is one entry of kernels(): a name, and what sets up and returns its work.
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "cache/prompt_cache.hpp"
#include "io/crc32c.hpp"
#include "simd/classes/classes.hpp"
#include "simd/codes/codes.hpp"
#include "simd/dot/dot.hpp"
#include "simd/l2/l2.hpp"
#include "simd/scan/scan.hpp"

// Only what runs in here is counted. By its plain name, so that valgrind finds it.
extern "C" __attribute__((noinline)) void counted(const std::function<void()>& run) { run(); }

namespace {

namespace simd = astraweave::simd;

struct Work {
  std::size_t items;  // that one run does
  std::function<void()> run;
};

constexpr std::size_t kDims = 384;
constexpr std::size_t kRows = 256;

volatile double sink;  // so that no result is thought to be useless

// Any data would do, as the kernels do not branch on it; the same everywhere, whatever the library.
std::vector<float> floats(std::size_t n, std::uint32_t seed) {
  std::vector<float> values(n);
  for (float& value : values) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<float>(seed >> 8) / 16777216.0F - 0.5F;
  }
  return values;
}

template <typename Kernel>
Work pairs(Kernel kernel) {
  return {kRows, [kernel, a = floats(kDims, 1), b = floats(kRows * kDims, 2)] {
            for (std::size_t r = 0; r < kRows; ++r) {
              sink = kernel(a.data(), b.data() + r * kDims, kDims);
            }
          }};
}

Work scans(simd::ScanF32 kernel) {
  return {kRows, [kernel, query = floats(kDims, 1), rows = floats(kRows * kDims, 2)] {
            std::vector<float> scores(kRows);
            kernel(query.data(), rows.data(), kDims, kRows, kDims, scores.data());
            sink = scores[0];
          }};
}

template <typename T>
std::vector<T> whole_numbers(std::size_t n, int least, int most) {
  std::vector<T> values(n);
  const auto span = static_cast<std::size_t>(most - least + 1);
  for (std::size_t i = 0; i < n; ++i) {
    values[i] = static_cast<T>(least + static_cast<int>(i * 7 % span));
  }
  return values;
}

// As many rows as a node of a graph has neighbours.
Work gathers(simd::GatherCodes kernel) {
  return {32, [kernel, query = whole_numbers<std::int8_t>(kDims, -127, 127),
               rows = whole_numbers<std::uint8_t>(kRows * kDims, 1, 255),
               slots = whole_numbers<std::uint32_t>(32, 0, kRows - 1)] {
            std::vector<std::int32_t> sums(slots.size());
            kernel(query.data(), rows.data(), kDims, slots.data(), slots.size(), kDims,
                   sums.data());
            sink = sums[0];
          }};
}

Work code_scans(simd::ScanCodes kernel, std::size_t queries) {
  const auto numbers =
      whole_numbers<std::int8_t>(kDims, -simd::CodeQuery::kMost, simd::CodeQuery::kMost);
  return {kRows * queries,
          [kernel, prepared = std::vector<simd::CodeQuery>(queries, simd::CodeQuery(numbers)),
           rows = whole_numbers<std::uint8_t>(kRows * kDims, 1, 255)] {
            std::vector<std::int32_t> sums(prepared.size() * kRows);
            kernel(prepared.data(), prepared.size(), rows.data(), kDims, kRows, sums.data());
            sink = sums[0];
          }};
}

Work classes(simd::ClassifyBytes kernel) {
  const std::string text(64 * kRows, 'x');
  return {text.size(), [kernel, text] {
            std::vector<simd::ByteClasses> blocks(text.size() / 64);
            kernel(text.data(), text.size(), blocks.data());
            sink = static_cast<double>(blocks[0].letters);
          }};
}

Work cache_hits() {
  using astraweave::cache::PromptCache;
  const auto cache =
      std::make_shared<PromptCache>(astraweave::cache::Options{.max_bytes = 1 << 20, .seed = 1});
  const std::string key(900, 'k');
  cache->put({.key = key, .value = "an answer"});
  return {kRows, [cache, key] {
            for (std::size_t i = 0; i < kRows; ++i) sink = cache->get(key, 0) ? 1 : 0;
          }};
}

Work checksum() {
  return {kRows * kDims, [data = std::string(kRows * kDims, 'x')] {
            sink = astraweave::io::crc32c(data.data(), data.size());
          }};
}

const std::map<std::string, std::function<Work()>>& kernels() {
  static const simd::Tier tier = simd::active_tier();
  static const std::map<std::string, std::function<Work()>> all{
      {"dot_f32, 384 dimensions", [] { return pairs(simd::dot_f32_kernel(tier)); }},
      {"l2_f32, 384 dimensions", [] { return pairs(simd::l2_f32_kernel(tier)); }},
      {"scan_dot_f32, a row of 384", [] { return scans(simd::scan_dot_f32_kernel(tier)); }},
      {"scan_l2_f32, a row of 384", [] { return scans(simd::scan_l2_f32_kernel(tier)); }},
      {"gather_codes, a row of 384", [] { return gathers(simd::gather_codes_kernel(tier)); }},
      {"scan_codes, a row of 384", [] { return code_scans(simd::scan_codes_kernel(tier), 1); }},
      {"scan_codes, 8 queries, each row of 384",
       [] { return code_scans(simd::scan_codes_kernel(tier), 8); }},
      {"classify_bytes, a byte", [] { return classes(simd::classify_bytes_kernel(tier)); }},
      {"cache hit, a key of 900 bytes", cache_hits},
      {"crc32c, a byte", checksum},
  };
  return all;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    for (const auto& [name, setup] : kernels()) std::printf("%s\n", name.c_str());
    return 0;
  }
  const auto chosen = kernels().find(arguments[1]);
  if (chosen == kernels().end()) {
    std::fprintf(stderr, "no kernel is called '%s'\n", arguments[1]);
    return 2;
  }
  const Work work = chosen->second();
  work.run();  // what is made on first use is not counted
  counted(work.run);
  std::printf("%zu\n", work.items);
  return 0;
}
