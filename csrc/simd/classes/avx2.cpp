#include <cstring>

#include "simd/classes/classes.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86
#include <immintrin.h>

namespace astraweave::simd {
namespace {

// A bit for each byte in first..first + count - 1, which is moved to the lowest signed values.
ASTRAWEAVE_TARGET_AVX2 inline std::uint32_t within(__m256i bytes, int first, int count) noexcept {
  const __m256i moved = _mm256_add_epi8(bytes, _mm256_set1_epi8(static_cast<char>(-128 - first)));
  const __m256i limit = _mm256_set1_epi8(static_cast<char>(-128 + count));
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpgt_epi8(limit, moved)));
}

ASTRAWEAVE_TARGET_AVX2 inline std::uint32_t equal(__m256i bytes, char wanted) noexcept {
  const __m256i same = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(wanted));
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(same));
}

// Into the half of a block that `shift` says.
ASTRAWEAVE_TARGET_AVX2 inline void classify(const char* text, int shift,
                                            ByteClasses& block) noexcept {
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text));
  const __m256i folded = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
  const auto high = static_cast<std::uint32_t>(_mm256_movemask_epi8(bytes));
  const std::uint32_t others = high | within(bytes, 0x09, 5);
  block.letters |= std::uint64_t{within(folded, 'a', 26)} << shift;
  block.capitals |= std::uint64_t{within(bytes, 'A', 26)} << shift;
  block.digits |= std::uint64_t{within(bytes, '0', 10)} << shift;
  block.spaces |= std::uint64_t{equal(bytes, ' ')} << shift;
  block.apostrophes |= std::uint64_t{equal(bytes, '\'')} << shift;
  block.newlines |= std::uint64_t{equal(bytes, '\n')} << shift;
  block.others |= std::uint64_t{others} << shift;
}

}  // namespace

ASTRAWEAVE_TARGET_AVX2 void classify_bytes_avx2(const char* text, std::size_t n,
                                                ByteClasses* blocks) noexcept {
  for (std::size_t start = 0; start < n; start += 64) {
    alignas(32) char rest[64];
    const char* from = text + start;
    if (n - start < 64) {
      std::memset(rest, 0, sizeof rest);
      std::memcpy(rest, from, n - start);
      from = rest;
    }
    ByteClasses block{};
    classify(from, 0, block);
    classify(from + 32, 32, block);
    blocks[start / 64] = block;
  }
}

}  // namespace astraweave::simd
#endif
