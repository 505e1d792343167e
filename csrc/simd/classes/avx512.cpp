#include "simd/classes/classes.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86
#include <immintrin.h>

namespace astraweave::simd {

ASTRAWEAVE_TARGET_AVX512 void byte_classes_avx512(const char* text, std::size_t n,
                                                  ClassMasks masks) noexcept {
  const __m512i fold = _mm512_set1_epi8(0x20), many = _mm512_set1_epi8(26);
  const __m512i small_a = _mm512_set1_epi8('a'), capital_a = _mm512_set1_epi8('A');
  for (std::size_t word = 0; word * 64 < n; ++word) {
    const std::size_t left = n - word * 64;
    const __mmask64 inside = left >= 64 ? ~__mmask64{0} : (__mmask64{1} << left) - 1;
    const __m512i bytes = _mm512_maskz_loadu_epi8(inside, text + word * 64);
    masks.letters[word] =
        _mm512_cmplt_epu8_mask(_mm512_sub_epi8(_mm512_or_si512(bytes, fold), small_a), many);
    masks.capitals[word] = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(bytes, capital_a), many);
    masks.high[word] = _mm512_movepi8_mask(bytes);
  }
}

}  // namespace astraweave::simd
#endif
