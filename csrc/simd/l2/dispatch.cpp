#include "simd/l2/l2.hpp"
#include "simd/target.hpp"

namespace astraweave::simd {

L2F32 l2_f32_kernel(Tier tier) noexcept {
  switch (tier) {
#if ASTRAWEAVE_X86
    case Tier::kAvx2:
      return l2_f32_avx2;
    case Tier::kAvx512:
      return l2_f32_avx512;
#elif ASTRAWEAVE_ARM64
    case Tier::kNeon:
      return l2_f32_neon;
#endif
    default:
      return l2_f32_scalar;
  }
}

}  // namespace astraweave::simd
