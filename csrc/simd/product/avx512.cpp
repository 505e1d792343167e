#include "simd/product/product.hpp"
#include "simd/product/records.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86
#include <immintrin.h>

namespace astraweave::simd {
namespace {

constexpr std::size_t kAhead = 16384;  // bytes of codes that are asked for before their turn

// sum + codes * numbers, four neighbours to a lane; the same four numbers for all lanes.
ASTRAWEAVE_TARGET_AVX512 inline __m512i add_products(__m512i sum, __m512i codes,
                                                     const std::int8_t* numbers) noexcept {
#if defined(__GNUC__) && !defined(__clang__)
  // GCC 12 copies the sum there and back around the intrinsic, and loads the numbers apart.
  __asm__("vpdpbusd %2%{1to16%}, %1, %0"
          : "+v"(sum)
          : "v"(codes), "m"(*reinterpret_cast<const char(*)[4]>(numbers)));
  return sum;
#else
  return _mm512_dpbusd_epi32(sum, codes, _mm512_set1_epi32(as_lane(numbers)));
#endif
}

// kRows rows times one panel, side by side: a dot product is a chain of eight instructions that wait
// for each other, and eight rows keep as many chains under way.
template <std::size_t kRows>
ASTRAWEAVE_TARGET_AVX512 inline void multiply_rows(const std::uint8_t* codes, const float* scales,
                                                   const std::uint8_t* zeros, std::size_t blocks,
                                                   const std::byte* rows, std::size_t row_bytes,
                                                   float* out, std::size_t stride,
                                                   bool add) noexcept {
  __m512 sum[kRows];
  ASTRAWEAVE_UNROLL
  for (std::size_t r = 0; r < kRows; ++r) sum[r] = _mm512_setzero_ps();
  for (std::size_t b = 0; b < blocks; ++b) {
    const __m512i zero =
        _mm512_cvtepu8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(zeros)));
    const __m512 scale = _mm512_load_ps(scales);
    __m512i dot[kRows];
    const ByteRecord* block[kRows];
    ASTRAWEAVE_UNROLL
    for (std::size_t r = 0; r < kRows; ++r) {
      block[r] = record<ByteRecord>(rows + r * row_bytes, b);
      // The upper halves of the lanes of `zero` are 0, so only the low half of the sum counts.
      dot[r] = _mm512_madd_epi16(zero, _mm512_set1_epi32(block[r]->minus_sum));
    }
    ASTRAWEAVE_UNROLL
    for (std::size_t g = 0; g < 8; ++g) {
      _mm_prefetch(reinterpret_cast<const char*>(codes + kAhead + g * 64), _MM_HINT_T0);
      const __m512i code = _mm512_load_si512(codes + g * 64);
      ASTRAWEAVE_UNROLL
      for (std::size_t r = 0; r < kRows; ++r) {
        dot[r] = add_products(dot[r], code, block[r]->codes + g * 4);
      }
    }
    ASTRAWEAVE_UNROLL
    for (std::size_t r = 0; r < kRows; ++r) {
      sum[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r]),
                               _mm512_mul_ps(scale, _mm512_set1_ps(block[r]->scale)), sum[r]);
    }
    codes += kPanelBlockCodes;
    scales += kPanelOutputs;
    zeros += kPanelOutputs;
  }
  ASTRAWEAVE_UNROLL
  for (std::size_t r = 0; r < kRows; ++r) {
    float* to = out + r * stride;
    _mm512_storeu_ps(to, add ? _mm512_add_ps(_mm512_loadu_ps(to), sum[r]) : sum[r]);
  }
}

}  // namespace

std::size_t quantised_bytes_avx512(std::size_t columns) noexcept {
  return columns / kProductBlock * sizeof(ByteRecord);
}

ASTRAWEAVE_TARGET_AVX512 void quantise_row_avx512(const float* x, std::size_t first,
                                                  std::size_t columns, std::byte* row) noexcept {
  const __m512i sign = _mm512_set1_epi32(0x7fffffff);
  ByteRecord* to = record<ByteRecord>(row, first / kProductBlock);
  for (std::size_t k = 0; k < columns; k += kProductBlock, x += kProductBlock, ++to) {
    const __m512 low = _mm512_loadu_ps(x), high = _mm512_loadu_ps(x + 16);
    const __m512i most_of_two = _mm512_max_epi32(_mm512_and_si512(_mm512_castps_si512(low), sign),
                                                 _mm512_and_si512(_mm512_castps_si512(high), sign));
    const float most =
        _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(_mm512_reduce_max_epi32(most_of_two))));
    if (!is_number(most)) {
      *to = kNoNumbers<ByteRecord>;
      continue;
    }
    to->scale = most < kSmallestBlock ? 0.0F : most / kLargestCode;
    const __m512 inverse = _mm512_set1_ps(most < kSmallestBlock ? 0.0F : kLargestCode / most);
    const __m512i left = _mm512_cvtps_epi32(_mm512_mul_ps(low, inverse));
    const __m512i right = _mm512_cvtps_epi32(_mm512_mul_ps(high, inverse));
    to->minus_sum = -_mm512_reduce_add_epi32(_mm512_add_epi32(left, right));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to->codes), _mm512_cvtsepi32_epi8(left));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to->codes + 16), _mm512_cvtsepi32_epi8(right));
  }
}

void multiply_panels_avx512(const Panels& weights, std::size_t first, std::size_t count,
                            const std::byte* rows, std::size_t row_bytes, std::size_t n, float* out,
                            std::size_t stride, bool add) noexcept {
  for (std::size_t p = first; p < first + count; ++p, out += kPanelOutputs) {
    const auto times = [&](auto multiply, std::size_t r) {
      multiply(weights.codes(p), weights.scales(p), weights.zeros(p), weights.blocks(),
               rows + r * row_bytes, row_bytes, out + r * stride, stride, add);
    };
    std::size_t r = 0;
    for (; r + 8 <= n; r += 8) times(multiply_rows<8>, r);
    if (r + 4 <= n) times(multiply_rows<4>, r), r += 4;
    if (r + 2 <= n) times(multiply_rows<2>, r), r += 2;
    if (r < n) times(multiply_rows<1>, r);
  }
}

}  // namespace astraweave::simd
#endif
