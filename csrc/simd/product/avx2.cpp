#include "simd/product/product.hpp"
#include "simd/product/quantise_avx2.hpp"
#include "simd/product/records.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86
#include <immintrin.h>

namespace astraweave::simd {
namespace {

constexpr std::size_t kAhead = 16384;  // bytes of codes that are asked for before their turn

ASTRAWEAVE_TARGET_AVX2 inline __m256i load(const void* from) noexcept {
  return _mm256_load_si256(static_cast<const __m256i*>(from));
}

// The same pair of codes for all lanes.
ASTRAWEAVE_TARGET_AVX2 inline __m256i pair(const std::int16_t* codes) noexcept {
  return _mm256_set1_epi32(as_lane(codes));
}

// Keeps a sum in one register: GCC would add the products up as a tree, and spill its leaves.
ASTRAWEAVE_TARGET_AVX2 inline __m256i pinned(__m256i value) noexcept {
#if defined(__GNUC__) && !defined(__clang__)
  __asm__("" : "+x"(value));
#endif
  return value;
}

// kRows rows times one panel. vpmaddubsw would saturate on codes of eight bits, so even and odd
// ones are widened to 16 bits, once for all rows.
template <std::size_t kRows>
ASTRAWEAVE_TARGET_AVX2 inline void multiply_rows(const std::uint8_t* codes, const float* scales,
                                                 const std::uint8_t* zeros, std::size_t blocks,
                                                 const std::byte* rows, std::size_t row_bytes,
                                                 float* out, std::size_t stride,
                                                 bool add) noexcept {
  const __m256i low_byte = _mm256_set1_epi16(0x00ff);
  __m256 sum[kRows][2];
  ASTRAWEAVE_UNROLL
  for (std::size_t r = 0; r < kRows; ++r) sum[r][0] = sum[r][1] = _mm256_setzero_ps();
  for (std::size_t b = 0; b < blocks; ++b) {
    const WordRecord* block[kRows];
    __m256i dot[kRows][2];
    ASTRAWEAVE_UNROLL
    for (std::size_t r = 0; r < kRows; ++r) {
      block[r] = record<WordRecord>(rows + r * row_bytes, b);
      const __m256i minus_sum = _mm256_set1_epi32(block[r]->minus_sum);
      ASTRAWEAVE_UNROLL
      for (std::size_t h = 0; h < 2; ++h) {
        const __m256i zero =
            _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(zeros + h * 8)));
        dot[r][h] = _mm256_madd_epi16(zero, minus_sum);
      }
    }
    ASTRAWEAVE_UNROLL
    for (std::size_t g = 0; g < 8; ++g) {
      _mm_prefetch(reinterpret_cast<const char*>(codes + kAhead + g * 64), _MM_HINT_T0);
      const __m256i left = load(codes + g * 64), right = load(codes + g * 64 + 32);
      const __m256i even[2] = {_mm256_and_si256(left, low_byte), _mm256_and_si256(right, low_byte)};
      const __m256i odd[2] = {_mm256_srli_epi16(left, 8), _mm256_srli_epi16(right, 8)};
      ASTRAWEAVE_UNROLL
      for (std::size_t r = 0; r < kRows; ++r) {
        const __m256i evens = pair(block[r]->codes + g * 4);
        const __m256i odds = pair(block[r]->codes + g * 4 + 2);
        ASTRAWEAVE_UNROLL
        for (std::size_t h = 0; h < 2; ++h) {
          dot[r][h] = pinned(_mm256_add_epi32(dot[r][h], _mm256_madd_epi16(even[h], evens)));
          dot[r][h] = pinned(_mm256_add_epi32(dot[r][h], _mm256_madd_epi16(odd[h], odds)));
        }
      }
    }
    ASTRAWEAVE_UNROLL
    for (std::size_t r = 0; r < kRows; ++r) {
      const __m256 scale = _mm256_broadcast_ss(&block[r]->scale);
      ASTRAWEAVE_UNROLL
      for (std::size_t h = 0; h < 2; ++h) {
        sum[r][h] =
            _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[r][h]),
                            _mm256_mul_ps(_mm256_load_ps(scales + h * 8), scale), sum[r][h]);
      }
    }
    codes += kPanelBlockCodes;
    scales += kPanelOutputs;
    zeros += kPanelOutputs;
  }
  ASTRAWEAVE_UNROLL
  for (std::size_t r = 0; r < kRows; ++r) {
    ASTRAWEAVE_UNROLL
    for (std::size_t h = 0; h < 2; ++h) {
      float* to = out + r * stride + h * 8;
      _mm256_storeu_ps(to, add ? _mm256_add_ps(_mm256_loadu_ps(to), sum[r][h]) : sum[r][h]);
    }
  }
}

}  // namespace

std::size_t quantised_bytes_avx2(std::size_t columns) noexcept {
  return columns / kProductBlock * sizeof(WordRecord);
}

ASTRAWEAVE_TARGET_AVX2 void quantise_row_avx2(const float* x, std::size_t first,
                                              std::size_t columns, std::byte* row) noexcept {
  // Of eight codes in 16 bits, of each four the even ones first.
  const __m256i evens_first =
      _mm256_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15, 0, 1, 4, 5, 2, 3, 6, 7,
                       8, 9, 12, 13, 10, 11, 14, 15);
  WordRecord* to = record<WordRecord>(row, first / kProductBlock);
  for (std::size_t k = 0; k < columns; k += kProductBlock, x += kProductBlock, ++to) {
    const QuantisedBlock block = quantise_block(x);
    to->scale = block.scale;
    to->minus_sum = block.minus_sum;
    ASTRAWEAVE_UNROLL
    for (std::size_t i = 0; i < 2; ++i) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to->codes + i * 16),
                          _mm256_shuffle_epi8(block.words[i], evens_first));
    }
  }
}

void multiply_panels_avx2(const Panels& weights, std::size_t first, std::size_t count,
                          const std::byte* rows, std::size_t row_bytes, std::size_t n, float* out,
                          std::size_t stride, bool add) noexcept {
  for (std::size_t p = first; p < first + count; ++p, out += kPanelOutputs) {
    const auto times = [&](auto multiply, std::size_t r) {
      multiply(weights.codes(p), weights.scales(p), weights.zeros(p), weights.blocks(),
               rows + r * row_bytes, row_bytes, out + r * stride, stride, add);
    };
    std::size_t r = 0;
    for (; r + 4 <= n; r += 4) times(multiply_rows<4>, r);
    if (r + 2 <= n) times(multiply_rows<2>, r), r += 2;
    if (r < n) times(multiply_rows<1>, r);
  }
}

}  // namespace astraweave::simd
#endif
