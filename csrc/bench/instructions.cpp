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
#include <numeric>
#include <string>
#include <vector>

#include "io/crc32c.hpp"
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
