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
#include "simd/attend/attend.hpp"
#include "simd/cache_line.hpp"
#include "simd/classes/classes.hpp"
#include "simd/codes/codes.hpp"
#include "simd/dot/dot.hpp"
#include "simd/l2/l2.hpp"
#include "simd/product/product.hpp"
#include "simd/rows/rows.hpp"
#include "simd/scan/scan.hpp"
#include "simd/target.hpp"

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

// Without AVX-VNNI: valgrind does not know it, and most players' processors do not have it.
simd::ProductKernels without_vnni(simd::Tier tier) {
#if ASTRAWEAVE_X86
  if (tier == simd::Tier::kAvx2) {
    return {simd::quantised_bytes_avx2, simd::quantise_row_avx2, simd::multiply_panels_avx2};
  }
#endif
  return simd::product_kernels(tier);
}

// A matrix as wide as the default model's, times the rows of a step.
constexpr std::size_t kWidth = 576;
constexpr std::size_t kPanels = 12;

simd::AlignedVector<std::byte> quantised(const simd::ProductKernels& kernels, std::size_t rows) {
  const auto numbers = floats(rows * kWidth, 3);
  const std::size_t row_bytes = kernels.quantised_bytes(kWidth);
  simd::AlignedVector<std::byte> made(rows * row_bytes);
  for (std::size_t r = 0; r < rows; ++r) {
    kernels.quantise(numbers.data() + r * kWidth, 0, kWidth, made.data() + r * row_bytes);
  }
  return made;
}

Work products(const simd::ProductKernels& kernels, std::size_t rows) {
  constexpr std::size_t kOutputs = kPanels * simd::kPanelOutputs;
  const auto codes = whole_numbers<std::uint8_t>(kOutputs * kWidth, 0, 255);
  const auto scales = floats(kOutputs * kWidth / simd::kProductBlock, 4);
  simd::AlignedVector<std::uint8_t> memory(simd::Panels{nullptr, kOutputs, kWidth}.bytes());
  simd::pack_outputs(memory.data(), kWidth, 0, kOutputs, codes.data(), scales.data(), nullptr);
  return {rows * kPanels,
          [kernels, rows, memory = std::move(memory), row = quantised(kernels, rows)] {
            std::vector<float> out(rows * kOutputs);
            kernels.multiply({memory.data(), kOutputs, kWidth}, 0, kPanels, row.data(),
                             kernels.quantised_bytes(kWidth), rows, out.data(), kOutputs, false);
            sink = out[0];
          }};
}

Work quantising(const simd::ProductKernels& kernels) {
  return {kWidth, [kernels, numbers = floats(kWidth, 3)] {
            simd::AlignedVector<std::byte> row(kernels.quantised_bytes(kWidth));
            kernels.quantise(numbers.data(), 0, kWidth, row.data());
            sink = static_cast<double>(row[0]);
          }};
}

// One KV head of the default model, which three query heads of a sequence share.
constexpr std::size_t kHead = 64;

Work attention(simd::KvKind kind, std::size_t rows) {
  const simd::AttendKernels kernels = simd::attend_kernels(simd::active_tier(), kind);
  const std::size_t bytes = simd::block_bytes(kind, kHead);
  simd::AlignedVector<std::byte> blocks(simd::kSpanPages * bytes);
  const auto numbers = floats(2 * simd::kSpanTokens * kHead, 5);
  for (std::size_t t = 0; t < simd::kSpanTokens; ++t) {
    kernels.store(blocks.data() + t / simd::kPageTokens * bytes, t % simd::kPageTokens, kHead,
                  numbers.data() + 2 * t * kHead, numbers.data() + (2 * t + 1) * kHead);
  }
  return {rows * simd::kSpanTokens,
          [kernels, rows, bytes, blocks = std::move(blocks), queries = floats(rows * kHead, 6)] {
            std::vector<float> partials(rows * simd::partial_stride(kHead));
            std::vector<simd::AttendRow> all;
            for (std::size_t r = 0; r < rows; ++r) {
              all.push_back({queries.data() + r * kHead, simd::kSpanTokens,
                             partials.data() + r * simd::partial_stride(kHead)});
            }
            std::vector<const std::byte*> pages;
            for (std::size_t p = 0; p < simd::kSpanPages; ++p) {
              pages.push_back(blocks.data() + p * bytes);
            }
            kernels.attend(all.data(), rows, {pages.data(), simd::kSpanPages, kHead, 0.125F});
            sink = partials[0];
          }};
}

Work row_work(const simd::RowKernels& kernels, const std::string& name) {
  constexpr std::size_t kNumbers = 1536;
  return {kNumbers, [kernels, name, a = floats(kNumbers, 7), b = floats(kNumbers, 8)] {
            std::vector<float> out = a;
            if (name == "rms_norm") {
              kernels.rms_norm(a.data(), b.data(), 1e-5F, kNumbers, out.data());
            } else if (name == "rope") {
              for (std::size_t at = 0; at < kNumbers; at += kHead) {
                kernels.rope(out.data() + at, b.data(), b.data() + kHead / 2, kHead);
              }
            } else {
              kernels.silu_multiply(a.data(), b.data(), kNumbers, out.data());
            }
            sink = out[0];
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
      {"product, 1 row, a panel of 576", [] { return products(without_vnni(tier), 1); }},
      {"product, 16 rows, each a panel of 576", [] { return products(without_vnni(tier), 16); }},
      {"quantise_row, a number", [] { return quantising(without_vnni(tier)); }},
      {"attend f16, 3 rows, each a token", [] { return attention(simd::KvKind::kHalf, 3); }},
      {"attend f16, 48 rows, each a token", [] { return attention(simd::KvKind::kHalf, 48); }},
      {"attend int8, 3 rows, each a token", [] { return attention(simd::KvKind::kByte, 3); }},
      {"rms_norm, a number", [] { return row_work(simd::row_kernels(tier), "rms_norm"); }},
      {"rope, a number", [] { return row_work(simd::row_kernels(tier), "rope"); }},
      {"silu_multiply, a number",
       [] { return row_work(simd::row_kernels(tier), "silu_multiply"); }},
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
