#include "simd/classes/classes.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86
#include <immintrin.h>

namespace astraweave::simd {

namespace {

ASTRAWEAVE_TARGET_AVX512 inline __mmask64 within(__m512i bytes, int first, int count) noexcept {
  const __m512i moved = _mm512_sub_epi8(bytes, _mm512_set1_epi8(static_cast<char>(first)));
  return _mm512_cmplt_epu8_mask(moved, _mm512_set1_epi8(static_cast<char>(count)));
}

}  // namespace

ASTRAWEAVE_TARGET_AVX512 void classify_bytes_avx512(const char* text, std::size_t n,
                                                    ByteClasses* blocks) noexcept {
  for (std::size_t start = 0; start < n; start += 64) {
    const std::size_t left = n - start;
    const __mmask64 inside = left >= 64 ? ~__mmask64{0} : (__mmask64{1} << left) - 1;
    const __m512i bytes = _mm512_maskz_loadu_epi8(inside, text + start);
    const __m512i folded = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
    blocks[start / 64] = {
        .letters = within(folded, 'a', 26),
        .capitals = within(bytes, 'A', 26),
        .digits = within(bytes, '0', 10),
        .spaces = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(' ')),
        .apostrophes = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\'')),
        .newlines = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\n')),
        .others = _mm512_movepi8_mask(bytes) | within(bytes, 0x09, 5),
    };
  }
}

}  // namespace astraweave::simd
#endif
