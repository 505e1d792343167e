#include <cstring>

#include "simd/classes/classes.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86
#include <immintrin.h>

namespace astraweave::simd {
namespace {

struct Words {
  std::uint64_t letters, capitals, high;
};

// As signed bytes: a byte in first..first + 25 is moved to the 26 lowest values.
ASTRAWEAVE_TARGET_AVX2 inline std::uint32_t alphabet(__m256i bytes, char first) noexcept {
  const __m256i moved = _mm256_add_epi8(bytes, _mm256_set1_epi8(static_cast<char>(-128 - first)));
  const __m256i inside = _mm256_cmpgt_epi8(_mm256_set1_epi8(-128 + 26), moved);
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(inside));
}

ASTRAWEAVE_TARGET_AVX2 inline Words classify(const char* text) noexcept {
  const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text));
  const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + 32));
  const __m256i fold = _mm256_set1_epi8(0x20);
  const auto joined = [](std::uint32_t low, std::uint32_t high) {
    return std::uint64_t{high} << 32 | low;
  };
  return {joined(alphabet(_mm256_or_si256(a, fold), 'a'), alphabet(_mm256_or_si256(b, fold), 'a')),
          joined(alphabet(a, 'A'), alphabet(b, 'A')),
          joined(static_cast<std::uint32_t>(_mm256_movemask_epi8(a)),
                 static_cast<std::uint32_t>(_mm256_movemask_epi8(b)))};
}

}  // namespace

ASTRAWEAVE_TARGET_AVX2 void byte_classes_avx2(const char* text, std::size_t n,
                                              ClassMasks masks) noexcept {
  const auto store = [&](std::size_t word, const Words& words) {
    masks.letters[word] = words.letters;
    masks.capitals[word] = words.capitals;
    masks.high[word] = words.high;
  };
  const std::size_t whole = n / 64;
  for (std::size_t word = 0; word < whole; ++word) store(word, classify(text + word * 64));
  if (n % 64 != 0) {
    alignas(32) char rest[64] = {};
    std::memcpy(rest, text + whole * 64, n % 64);
    store(whole, classify(rest));
  }
}

}  // namespace astraweave::simd
#endif
