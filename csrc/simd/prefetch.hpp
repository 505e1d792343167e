// Asking for memory before it is needed.
#pragma once

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

#include <cstddef>

namespace astraweave::simd {

// The cache lines of `bytes` bytes. Never faults.
inline void prefetch(const void* from, std::size_t bytes) noexcept {
  const char* line = static_cast<const char*>(from);
  for (std::size_t i = 0; i < bytes; i += 64) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(line + i);
#elif defined(_M_X64)
    _mm_prefetch(line + i, _MM_HINT_T0);
#else
    __prefetch(line + i);
#endif
  }
}

}  // namespace astraweave::simd
