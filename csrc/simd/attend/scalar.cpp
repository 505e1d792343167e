// Written to be read: what the other tiers do, one number at a time.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "simd/attend/attend.hpp"
#include "simd/half/half.hpp"

namespace astraweave::simd {
namespace {

// A block's numbers, whatever their kind.
template <KvKind kKind>
struct Block {
  const std::byte* bytes;
  std::size_t head_size;

  float number(std::size_t i) const noexcept {
    if constexpr (kKind == KvKind::kHalf) {
      return from_half(reinterpret_cast<const std::uint16_t*>(bytes)[i]);
    } else {
      return reinterpret_cast<const std::int8_t*>(bytes)[i];
    }
  }
  float scale(std::size_t i) const noexcept {
    if constexpr (kKind == KvKind::kHalf) return 1.0f;
    return reinterpret_cast<const float*>(bytes + 2 * kPageTokens * head_size)[i];
  }
  float key(std::size_t token, std::size_t d) const noexcept {
    return number(d * kPageTokens + token);
  }
  float value(std::size_t token, std::size_t d) const noexcept {
    return number((kPageTokens + token) * head_size + d);
  }
  float key_scale(std::size_t token) const noexcept { return scale(token); }
  float value_scale(std::size_t token) const noexcept { return scale(kPageTokens + token); }
};

float weight(float below) noexcept { return below >= -87.0f ? std::exp(below) : 0.0f; }

template <KvKind kKind>
void attend(const AttendRow* rows, std::size_t n, const AttendSpan& span) noexcept {
  const std::size_t head_size = span.head_size;
  for (std::size_t r = 0; r < n; ++r) {
    const AttendRow& row = rows[r];
    float weights[kSpanTokens];
    float largest = -INFINITY;
    for (std::size_t t = 0; t < row.tokens; ++t) {
      const Block<kKind> block{span.blocks[t / kPageTokens], head_size};
      const std::size_t token = t % kPageTokens;
      float score = 0;
      for (std::size_t d = 0; d < head_size; ++d) score += row.query[d] * block.key(token, d);
      weights[t] = score * (span.scale * block.key_scale(token));
      largest = std::max(largest, weights[t]);
    }
    float total = 0;
    std::fill_n(row.partial, head_size, 0.0f);
    for (std::size_t t = 0; t < row.tokens; ++t) {
      const Block<kKind> block{span.blocks[t / kPageTokens], head_size};
      const std::size_t token = t % kPageTokens;
      const float w = weight(weights[t] - largest);
      total += w;
      const float share = w * block.value_scale(token);
      for (std::size_t d = 0; d < head_size; ++d) row.partial[d] += share * block.value(token, d);
    }
    row.partial[head_size] = largest;
    row.partial[head_size + 1] = total;
  }
}

void fold(float* state, const float* partial, std::size_t head_size) noexcept {
  const float largest = std::max(state[head_size], partial[head_size]);
  const float old_part = weight(state[head_size] - largest);
  const float new_part = weight(partial[head_size] - largest);
  for (std::size_t d = 0; d < head_size; ++d) {
    state[d] = state[d] * old_part + partial[d] * new_part;
  }
  state[head_size] = largest;
  state[head_size + 1] = state[head_size + 1] * old_part + partial[head_size + 1] * new_part;
}

void finish(const float* state, std::size_t head_size, float* out) noexcept {
  const float share = 1.0f / state[head_size + 1];
  for (std::size_t d = 0; d < head_size; ++d) out[d] = state[d] * share;
}

// Not std::clamp, which would let NaN through.
float finite(float x) noexcept {
  const float above = x > -kMaxHalf ? x : -kMaxHalf;
  return above < kMaxHalf ? above : kMaxHalf;
}

void store_half(std::byte* block, std::size_t slot, std::size_t head_size, const float* key,
                const float* value) noexcept {
  auto* keys = reinterpret_cast<std::uint16_t*>(block);
  auto* values = keys + (kPageTokens + slot) * head_size;
  for (std::size_t d = 0; d < head_size; ++d) {
    keys[d * kPageTokens + slot] = to_half(finite(key[d]));
    values[d] = to_half(finite(value[d]));
  }
}

// Codes, `stride` apart; the scale is returned.
float store_codes(const float* from, std::size_t n, std::int8_t* to, std::size_t stride) noexcept {
  float largest = 0;
  for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(finite(from[i])));
  const bool tiny = largest < kTinyRow;
  const float scale = tiny ? 0.0f : largest / 127.0f;
  const float per_code = tiny ? 0.0f : 127.0f / largest;
  for (std::size_t i = 0; i < n; ++i) {
    const float code = std::nearbyint(finite(from[i]) * per_code);
    to[i * stride] = static_cast<std::int8_t>(std::min(std::max(code, -127.0f), 127.0f));
  }
  return scale;
}

void store_byte(std::byte* block, std::size_t slot, std::size_t head_size, const float* key,
                const float* value) noexcept {
  auto* codes = reinterpret_cast<std::int8_t*>(block);
  auto* scales = reinterpret_cast<float*>(block + 2 * kPageTokens * head_size);
  scales[slot] = store_codes(key, head_size, codes + slot, kPageTokens);
  scales[kPageTokens + slot] =
      store_codes(value, head_size, codes + (kPageTokens + slot) * head_size, 1);
}

}  // namespace

AttendKernels attend_scalar(KvKind kind) noexcept {
  if (kind == KvKind::kHalf) return {attend<KvKind::kHalf>, fold, finish, store_half};
  return {attend<KvKind::kByte>, fold, finish, store_byte};
}

}  // namespace astraweave::simd
