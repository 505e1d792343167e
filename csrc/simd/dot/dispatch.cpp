#include "simd/dot/dot.hpp"
#include "simd/target.hpp"

namespace astraweave::simd {

DotF32 dot_f32_kernel(Tier tier) noexcept {
  switch (tier) {
#if ASTRAWEAVE_X86
    case Tier::kAvx2:
      return dot_f32_avx2;
    case Tier::kAvx512:
      return dot_f32_avx512;
#elif ASTRAWEAVE_ARM64
    case Tier::kNeon:
      return dot_f32_neon;
#endif
    default:
      return dot_f32_scalar;
  }
}

}  // namespace astraweave::simd
