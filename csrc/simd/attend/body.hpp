// The kernels of attend.hpp in the words of wide/words.md.
//
// A tile of up to six rows goes through a span in three passes: scores of all its tokens, weights,
// sums of values. Scores and sums stay in registers while they build up, several rows sharing each
// load and conversion; the weights in between are a few KB on the stack. Each score is one chain of
// multiply-adds over the numbers of the head, each sum one over the tokens: how many rows and pages
// are under way together changes when something is computed, never what.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "simd/attend/attend.hpp"
#include "simd/half/half.hpp"
#include "simd/prefetch.hpp"
#include "simd/wide/exp.hpp"

namespace astraweave::simd {
namespace {

constexpr std::size_t bytes_of(KvKind kind) noexcept { return kind == KvKind::kHalf ? 2 : 1; }

constexpr std::size_t kPageParts = kPageTokens / kWide;  // registers to a page's tokens

template <KvKind kKind>
ASTRAWEAVE_WIDE inline Wide load_numbers(const std::byte* block, std::size_t i) noexcept {
  if constexpr (kKind == KvKind::kHalf) {
    return load_halves(reinterpret_cast<const std::uint16_t*>(block) + i);
  } else {
    return load_codes(reinterpret_cast<const std::int8_t*>(block) + i);
  }
}

ASTRAWEAVE_WIDE inline const float* scales_of(const std::byte* block,
                                              std::size_t head_size) noexcept {
  return reinterpret_cast<const float*>(block + 2 * kPageTokens * head_size);
}

// Registers that sums may take: the rest holds what is loaded.
constexpr std::size_t kSums = kRegisters * 3 / 4;

constexpr std::size_t pages_at_once(std::size_t rows) noexcept {
  std::size_t pages = 4;
  while (pages > 1 && rows * pages * kPageParts > kSums) pages /= 2;
  return pages;
}

constexpr std::size_t columns_at_once(std::size_t rows) noexcept {
  return rows * 4 > kSums ? 2 : 4;
}

// Number d of the keys of some pages, part p of their tokens.
template <KvKind kKind>
ASTRAWEAVE_WIDE inline Wide load_keys(const std::byte* const* blocks, std::size_t d,
                                      std::size_t p) noexcept {
  return load_numbers<kKind>(blocks[p / kPageParts], d * kPageTokens + p % kPageParts * kWide);
}

// Scores of all tokens of some pages; a row's lie kSpanTokens apart from the next one's.
template <KvKind kKind, std::size_t kRows, std::size_t kPages>
ASTRAWEAVE_WIDE inline void score(const AttendRow* rows, const std::byte* const* blocks,
                                  std::size_t head_size, float scale, float* scores) noexcept {
  constexpr std::size_t kParts = kPages * kPageParts;
  Wide sums[kRows][kParts];
  ASTRAWEAVE_UNROLL
  for (std::size_t r = 0; r < kRows; ++r) {
    ASTRAWEAVE_UNROLL
    for (std::size_t p = 0; p < kParts; ++p) sums[r][p] = spread(0.0f);
  }
  const std::size_t values = kPageTokens * head_size * bytes_of(kKind);
  for (std::size_t d = 0; d < head_size; ++d) {
    if (d % (64 / bytes_of(kKind) / kPageTokens) == 0) {
      ASTRAWEAVE_UNROLL
      for (std::size_t p = 0; p < kPages; ++p) {
        prefetch(blocks[p] + values + d * kPageTokens * bytes_of(kKind), 1);
      }
    }
    if constexpr (kRows < kParts) {  // what there is less of waits in registers
      Wide queries[kRows];
      ASTRAWEAVE_UNROLL
      for (std::size_t r = 0; r < kRows; ++r) queries[r] = spread(rows[r].query[d]);
      ASTRAWEAVE_UNROLL
      for (std::size_t p = 0; p < kParts; ++p) {
        const Wide key = load_keys<kKind>(blocks, d, p);
        ASTRAWEAVE_UNROLL
        for (std::size_t r = 0; r < kRows; ++r) {
          sums[r][p] = multiply_add(queries[r], key, sums[r][p]);
        }
      }
    } else {
      Wide keys[kParts];
      ASTRAWEAVE_UNROLL
      for (std::size_t p = 0; p < kParts; ++p) keys[p] = load_keys<kKind>(blocks, d, p);
      ASTRAWEAVE_UNROLL
      for (std::size_t r = 0; r < kRows; ++r) {
        const Wide query = spread(rows[r].query[d]);
        ASTRAWEAVE_UNROLL
        for (std::size_t p = 0; p < kParts; ++p) {
          sums[r][p] = multiply_add(query, keys[p], sums[r][p]);
        }
      }
    }
  }
  ASTRAWEAVE_UNROLL
  for (std::size_t p = 0; p < kParts; ++p) {
    Wide factor = spread(scale);
    if constexpr (kKind == KvKind::kByte) {
      factor = multiply(
          factor, load(scales_of(blocks[p / kPageParts], head_size) + p % kPageParts * kWide));
    }
    ASTRAWEAVE_UNROLL
    for (std::size_t r = 0; r < kRows; ++r) {
      store(scores + r * kSpanTokens + p * kWide, multiply(sums[r][p], factor));
    }
  }
}

// Scores to weights, those behind the row's own tokens to zeros; the values' scales go in here.
template <KvKind kKind>
ASTRAWEAVE_WIDE inline void weigh(const AttendRow& row, const AttendSpan& span, std::size_t tokens,
                                  float* scores) noexcept {
  std::fill(scores + row.tokens, scores + tokens, -INFINITY);
  Wide largest = spread(-INFINITY);
  for (std::size_t t = 0; t < tokens; t += kWide) largest = most(load(scores + t), largest);
  const float top = largest_of(largest);
  Wide total = spread(0.0f);
  for (std::size_t t = 0; t < tokens; t += kWide) {
    Wide weight = exponential(subtract(load(scores + t), spread(top)));
    total = add(total, weight);
    if constexpr (kKind == KvKind::kByte) {
      const float* scales = scales_of(span.blocks[t / kPageTokens], span.head_size);
      weight = multiply(weight, load(scales + kPageTokens + t % kPageTokens));
    }
    store(scores + t, weight);
  }
  row.partial[span.head_size] = top;
  row.partial[span.head_size + 1] = sum_of(total);
}

// Some columns of the sums of weighted values.
template <KvKind kKind, std::size_t kRows, std::size_t kColumns>
ASTRAWEAVE_WIDE inline void gather(const AttendRow* rows, const AttendSpan& span,
                                   std::size_t tokens, const float* weights,
                                   std::size_t column) noexcept {
  Wide sums[kRows][kColumns];
  ASTRAWEAVE_UNROLL
  for (std::size_t r = 0; r < kRows; ++r) {
    ASTRAWEAVE_UNROLL
    for (std::size_t c = 0; c < kColumns; ++c) sums[r][c] = spread(0.0f);
  }
  for (std::size_t page = 0; page * kPageTokens < tokens; ++page) {
    const std::byte* block = span.blocks[page];
    const std::size_t end = std::min(kPageTokens, tokens - page * kPageTokens);
    const std::byte* ahead = page < span.next_pages && column == 0 ? span.next[page] : nullptr;
    for (std::size_t t = 0; t < end; ++t) {
      if (ahead != nullptr) {
        const std::size_t keys = span.head_size * bytes_of(kKind);  // a token's worth
        prefetch(ahead + t * keys, keys);
      }
      const std::size_t place = (kPageTokens + t) * span.head_size + column;
      const float* shares = weights + page * kPageTokens + t;
      if constexpr (kRows < kColumns) {
        Wide held[kRows];
        ASTRAWEAVE_UNROLL
        for (std::size_t r = 0; r < kRows; ++r) held[r] = spread(shares[r * kSpanTokens]);
        ASTRAWEAVE_UNROLL
        for (std::size_t c = 0; c < kColumns; ++c) {
          const Wide value = load_numbers<kKind>(block, place + c * kWide);
          ASTRAWEAVE_UNROLL
          for (std::size_t r = 0; r < kRows; ++r) {
            sums[r][c] = multiply_add(held[r], value, sums[r][c]);
          }
        }
      } else {
        Wide held[kColumns];
        ASTRAWEAVE_UNROLL
        for (std::size_t c = 0; c < kColumns; ++c) {
          held[c] = load_numbers<kKind>(block, place + c * kWide);
        }
        ASTRAWEAVE_UNROLL
        for (std::size_t r = 0; r < kRows; ++r) {
          const Wide share = spread(shares[r * kSpanTokens]);
          ASTRAWEAVE_UNROLL
          for (std::size_t c = 0; c < kColumns; ++c) {
            sums[r][c] = multiply_add(share, held[c], sums[r][c]);
          }
        }
      }
    }
  }
  ASTRAWEAVE_UNROLL
  for (std::size_t r = 0; r < kRows; ++r) {
    ASTRAWEAVE_UNROLL
    for (std::size_t c = 0; c < kColumns; ++c) {
      store(rows[r].partial + column + c * kWide, sums[r][c]);
    }
  }
}

template <KvKind kKind, std::size_t kRows>
ASTRAWEAVE_WIDE void attend_tile(const AttendRow* rows, const AttendSpan& span) noexcept {
  alignas(64) float scores[kRows * kSpanTokens];
  std::size_t tokens = 0;
  for (std::size_t r = 0; r < kRows; ++r) tokens = std::max(tokens, rows[r].tokens);
  const std::size_t pages = (tokens + kPageTokens - 1) / kPageTokens;
  constexpr std::size_t kPages = pages_at_once(kRows);
  std::size_t page = 0;
  for (; page + kPages <= pages; page += kPages) {
    score<kKind, kRows, kPages>(rows, span.blocks + page, span.head_size, span.scale,
                                scores + page * kPageTokens);
  }
  if constexpr (kPages > 2) {
    for (; page + 2 <= pages; page += 2) {
      score<kKind, kRows, 2>(rows, span.blocks + page, span.head_size, span.scale,
                             scores + page * kPageTokens);
    }
  }
  for (; page < pages; ++page) {
    score<kKind, kRows, 1>(rows, span.blocks + page, span.head_size, span.scale,
                           scores + page * kPageTokens);
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    weigh<kKind>(rows[r], span, pages * kPageTokens, scores + r * kSpanTokens);
  }
  constexpr std::size_t kColumns = columns_at_once(kRows);
  constexpr std::size_t kFewest = kPageTokens / kWide < kColumns ? kPageTokens / kWide : kColumns;
  std::size_t column = 0;
  for (; column + kColumns * kWide <= span.head_size; column += kColumns * kWide) {
    gather<kKind, kRows, kColumns>(rows, span, tokens, scores, column);
  }
  for (; column < span.head_size; column += kFewest * kWide) {
    gather<kKind, kRows, kFewest>(rows, span, tokens, scores, column);
  }
}

// Six rows keep the multipliers busy; what cannot be cut into sixes and a good rest is cut in half.
constexpr std::size_t rows_taken(std::size_t left) noexcept {
  if (left == 7 || left == 8) return 4;
  return left == 5 ? 3 : std::min<std::size_t>(left, 6);
}

template <KvKind kKind>
ASTRAWEAVE_WIDE void attend(const AttendRow* rows, std::size_t n, const AttendSpan& span) noexcept {
  AttendSpan now = span;
  for (std::size_t taken = 0; n > 0; rows += taken, n -= taken) {
    taken = rows_taken(n);
    switch (taken) {
      case 1:
        attend_tile<kKind, 1>(rows, now);
        break;
      case 2:
        attend_tile<kKind, 2>(rows, now);
        break;
      case 3:
        attend_tile<kKind, 3>(rows, now);
        break;
      case 4:
        attend_tile<kKind, 4>(rows, now);
        break;
      default:
        attend_tile<kKind, 6>(rows, now);
        break;
    }
    now.next_pages = 0;  // asked for
  }
}

ASTRAWEAVE_WIDE void fold(float* state, const float* partial, std::size_t head_size) noexcept {
  const float largest = std::max(state[head_size], partial[head_size]);
  const Wide old_part = exponential(spread(state[head_size] - largest));
  const Wide new_part = exponential(spread(partial[head_size] - largest));
  for (std::size_t d = 0; d < head_size; d += kWide) {
    const Wide share = multiply(load(partial + d), new_part);
    store(state + d, multiply_add(load(state + d), old_part, share));
  }
  float weights[2][kWide];
  store(weights[0], old_part);
  store(weights[1], new_part);
  state[head_size] = largest;
  state[head_size + 1] =
      state[head_size + 1] * weights[0][0] + partial[head_size + 1] * weights[1][0];
}

ASTRAWEAVE_WIDE void finish(const float* state, std::size_t head_size, float* out) noexcept {
  const Wide share = spread(1.0f / state[head_size + 1]);
  for (std::size_t d = 0; d < head_size; d += kWide)
    store(out + d, multiply(load(state + d), share));
}

// NaN becomes the largest.
ASTRAWEAVE_WIDE inline Wide finite(Wide x) noexcept {
  return most(least(x, spread(kMaxHalf)), spread(-kMaxHalf));
}

ASTRAWEAVE_WIDE void store_half(std::byte* block, std::size_t slot, std::size_t head_size,
                                const float* key, const float* value) noexcept {
  auto* keys = reinterpret_cast<std::uint16_t*>(block);
  auto* values = keys + (kPageTokens + slot) * head_size;
  for (std::size_t d = 0; d < head_size; d += kWide) {
    std::uint16_t some[kWide];
    store_halves(some, finite(load(key + d)));
    for (std::size_t i = 0; i < kWide; ++i) keys[(d + i) * kPageTokens + slot] = some[i];
    store_halves(values + d, finite(load(value + d)));
  }
}

// Codes, `stride` apart; the scale is returned.
ASTRAWEAVE_WIDE inline float store_row(const float* from, std::size_t n, std::int8_t* to,
                                       std::size_t stride) noexcept {
  Wide sizes = spread(0.0f);
  for (std::size_t d = 0; d < n; d += kWide) sizes = most(size_of(finite(load(from + d))), sizes);
  const float largest = largest_of(sizes);
  const bool tiny = largest < kTinyRow;
  const Wide per_code = spread(tiny ? 0.0f : 127.0f / largest);
  for (std::size_t d = 0; d < n; d += kWide) {
    const Wide codes = multiply(finite(load(from + d)), per_code);
    if (stride == 1) {
      store_codes(to + d, codes);
      continue;
    }
    std::int8_t some[kWide];
    store_codes(some, codes);
    for (std::size_t i = 0; i < kWide; ++i) to[(d + i) * stride] = some[i];
  }
  return tiny ? 0.0f : largest / 127.0f;
}

ASTRAWEAVE_WIDE void store_byte(std::byte* block, std::size_t slot, std::size_t head_size,
                                const float* key, const float* value) noexcept {
  auto* codes = reinterpret_cast<std::int8_t*>(block);
  auto* scales = reinterpret_cast<float*>(block + 2 * kPageTokens * head_size);
  scales[slot] = store_row(key, head_size, codes + slot, kPageTokens);
  scales[kPageTokens + slot] =
      store_row(value, head_size, codes + (kPageTokens + slot) * head_size, 1);
}

AttendKernels kernels_of(KvKind kind) noexcept {
  if (kind == KvKind::kHalf) return {attend<KvKind::kHalf>, fold, finish, store_half};
  return {attend<KvKind::kByte>, fold, finish, store_byte};
}

}  // namespace
}  // namespace astraweave::simd
