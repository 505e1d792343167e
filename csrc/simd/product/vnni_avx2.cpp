#include "simd/product/product.hpp"
#include "simd/product/quantise_avx2.hpp"
#include "simd/product/records.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86
#include <immintrin.h>

namespace astraweave::simd {
namespace {

constexpr std::size_t kAhead = 16384;  // bytes of codes that are asked for before their turn

// sum + codes * numbers, four neighbours to a lane. Written out: it is what AVX2 processors of
// today add to it, too new a name for some compilers.
ASTRAWEAVE_TARGET_AVX2 inline __m256i add_products(__m256i sum, __m256i codes,
                                                   __m256i numbers) noexcept {
#if defined(__GNUC__)
  __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(codes), "x"(numbers));
  return sum;
#else
  return _mm256_dpbusd_avx_epi32(sum, codes, numbers);
#endif
}

ASTRAWEAVE_TARGET_AVX2 inline __m256i load(const void* from) noexcept {
  return _mm256_load_si256(static_cast<const __m256i*>(from));
}

// kRows rows times one panel, as in avx2.cpp, without the detour over 16 bits.
template <std::size_t kRows>
ASTRAWEAVE_TARGET_AVX2 inline void multiply_rows(const std::uint8_t* codes, const float* scales,
                                                 const std::uint8_t* zeros, std::size_t blocks,
                                                 const std::byte* rows, std::size_t row_bytes,
                                                 float* out, std::size_t stride,
                                                 bool add) noexcept {
  __m256 sum[kRows][2];
  ASTRAWEAVE_UNROLL
  for (std::size_t r = 0; r < kRows; ++r) sum[r][0] = sum[r][1] = _mm256_setzero_ps();
  for (std::size_t b = 0; b < blocks; ++b) {
    const ByteRecord* block[kRows];
    __m256i dot[kRows][2];
    ASTRAWEAVE_UNROLL
    for (std::size_t r = 0; r < kRows; ++r) {
      block[r] = record<ByteRecord>(rows + r * row_bytes, b);
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
      const __m256i code[2] = {load(codes + g * 64), load(codes + g * 64 + 32)};
      ASTRAWEAVE_UNROLL
      for (std::size_t r = 0; r < kRows; ++r) {
        const __m256i four = _mm256_set1_epi32(as_lane(block[r]->codes + g * 4));
        ASTRAWEAVE_UNROLL
        for (std::size_t h = 0; h < 2; ++h) dot[r][h] = add_products(dot[r][h], code[h], four);
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

std::size_t quantised_bytes_vnni_avx2(std::size_t columns) noexcept {
  return columns / kProductBlock * sizeof(ByteRecord);
}

ASTRAWEAVE_TARGET_AVX2 void quantise_row_vnni_avx2(const float* x, std::size_t first,
                                                   std::size_t columns, std::byte* row) noexcept {
  ByteRecord* to = record<ByteRecord>(row, first / kProductBlock);
  for (std::size_t k = 0; k < columns; k += kProductBlock, x += kProductBlock, ++to) {
    const QuantisedBlock block = quantise_block(x);
    to->scale = block.scale;
    to->minus_sum = block.minus_sum;
    const __m256i bytes = _mm256_packs_epi16(block.words[0], block.words[1]);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to->codes),
                        _mm256_permute4x64_epi64(bytes, 0xd8));
  }
}

void multiply_panels_vnni_avx2(const Panels& weights, std::size_t first, std::size_t count,
                               const std::byte* rows, std::size_t row_bytes, std::size_t n,
                               float* out, std::size_t stride, bool add) noexcept {
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
