// Attention of query rows to the pages of a KV memory, a span of pages at a time.
//
// A block holds kPageTokens tokens of one KV head of one layer, keys transposed so that the scores
// of 16 tokens build up side by side in one register and no sum is ever taken across it:
//   half   keys [head_size][16] and values [16][head_size] as float16
//   byte   keys [head_size][16] and values [16][head_size] as int8, then 16 float scales of the
//          keys and 16 of the values: a number is code * scale of its token
// Every number in a block is finite (store() sees to that), written or not: what a row may not see
// enters with weight zero and leaves no trace.
//
// Contract, the same for every tier:
//
// attend: some rows, each with its own query and view, to one span of pages
//   rows        n rows, in any order; query: head_size floats; tokens: how many of the span's
//               tokens it sees, 1 .. pages * 16, the first ones; partial: head_size + 2 floats
//   span        1 .. kSpanPages blocks, head_size a multiple of 16 from 16 to 256, the factor of
//   the
//               scores (1 / sqrt(head_size) as a rule)
//   partial     with s(t) = scale * <query, key t>, m = the largest s(t), w(t) = exp(s(t) - m):
//               [0, head_size) sum of w(t) * value t; [head_size] m; [head_size + 1] sum of w(t)
// fold: state becomes what one pass over the tokens of both would have left; state and partial both
//       as `partial` above. The first span's partial is the first state.
// finish: head_size floats: state's sum of values over its sum of weights.
// store: one token's key and value (head_size floats each) into place `slot` of a block. Half: to
//        the nearest, |x| above 65504 and NaN stored as +-65504 (NaN: either). Byte: those first
//        clamped alike, then scale = largest |x| / 127, the code the nearest whole number; all
//        zero where the largest is below kTinyRow.
//
// What a row gets depends on its query, its tokens and the span alone: not on the rows beside it,
// not on n, to the last bit. Fold spans in the order of their tokens, always, and a row's result
// does not depend on how the work was divided either. A query that holds NaN gives NaN.
//
// Error bounds, u = 2^-24, against exact arithmetic over the numbers as stored:
//   scores      |error| <= (head_size + 2) u scale sum |q k|, which moves a weight by as much,
//               relatively, near the largest
//   exp         <= 2 ulp for arguments from -87 to 0, 1 exactly at 0, 0 below -87
//   sums        a chain of at most 128 multiply-adds for a span, then one for a fold: relative to
//   the
//               sum of |w v|, <= (128 + 4 * spans) u
//   byte        adds at most scale / 2 * (1 + 2^-15) to each key and each value number
//
// Floors, head size 64, halves: a page is 4 KB of memory (23 KB a token over 30 layers of 3 heads),
// a row's share 2 * 16 * 64 multiply-adds, which is 128 of AVX-512's (64 cycles where two begin in
// each) and 256 of AVX2's. Three rows are bound by the memory beyond the caches and by 64 + 64
// conversions within them, six rows or more by the multiply-adds.
#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/tier.hpp"

namespace astraweave::simd {

inline constexpr std::size_t kPageTokens = 16;
inline constexpr float kTinyRow = 1e-30f;
inline constexpr std::size_t kSpanPages = 8;
inline constexpr std::size_t kSpanTokens = kPageTokens * kSpanPages;

enum class KvKind { kHalf, kByte };

constexpr std::size_t block_bytes(KvKind kind, std::size_t head_size) noexcept {
  const std::size_t numbers = 2 * kPageTokens * head_size;
  return kind == KvKind::kHalf ? 2 * numbers : numbers + 2 * kPageTokens * sizeof(float);
}

struct AttendRow {
  const float* query;
  std::size_t tokens;
  float* partial;
};

struct AttendSpan {
  const std::byte* const* blocks;
  std::size_t pages;
  std::size_t head_size;
  float scale;
  // What will be attended to after this, to be asked for from memory meanwhile; may be none.
  const std::byte* const* next = nullptr;
  std::size_t next_pages = 0;
};

struct AttendKernels {
  void (*attend)(const AttendRow* rows, std::size_t n, const AttendSpan& span) noexcept;
  void (*fold)(float* state, const float* partial, std::size_t head_size) noexcept;
  void (*finish)(const float* state, std::size_t head_size, float* out) noexcept;
  void (*store)(std::byte* block, std::size_t slot, std::size_t head_size, const float* key,
                const float* value) noexcept;
};

// Floats of a partial as its owner should space them: the whole of it, in whole cache lines.
constexpr std::size_t partial_stride(std::size_t head_size) noexcept { return head_size + 16; }

AttendKernels attend_scalar(KvKind kind) noexcept;
AttendKernels attend_avx2(KvKind kind) noexcept;
AttendKernels attend_avx512(KvKind kind) noexcept;
AttendKernels attend_neon(KvKind kind) noexcept;

// The kernels of a tier; tiers that this platform lacks answer with the scalar ones.
AttendKernels attend_kernels(Tier tier, KvKind kind) noexcept;

}  // namespace astraweave::simd
