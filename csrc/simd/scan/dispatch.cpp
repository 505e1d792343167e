#include "simd/scan/scan.hpp"
#include "simd/target.hpp"

namespace astraweave::simd {

ScanF32 scan_dot_f32_kernel(Tier tier) noexcept {
  switch (tier) {
#if ASTRAWEAVE_X86
    case Tier::kAvx2:
      return scan_dot_f32_avx2;
    case Tier::kAvx512:
      return scan_dot_f32_avx512;
#elif ASTRAWEAVE_ARM64
    case Tier::kNeon:
      return scan_dot_f32_neon;
#endif
    default:
      return scan_dot_f32_scalar;
  }
}

ScanF32 scan_l2_f32_kernel(Tier tier) noexcept {
  switch (tier) {
#if ASTRAWEAVE_X86
    case Tier::kAvx2:
      return scan_l2_f32_avx2;
    case Tier::kAvx512:
      return scan_l2_f32_avx512;
#elif ASTRAWEAVE_ARM64
    case Tier::kNeon:
      return scan_l2_f32_neon;
#endif
    default:
      return scan_l2_f32_scalar;
  }
}

ScanF16 scan_dot_f16_kernel(Tier tier) noexcept {
  switch (tier) {
#if ASTRAWEAVE_X86
    case Tier::kAvx2:
      return scan_dot_f16_avx2;
    case Tier::kAvx512:
      return scan_dot_f16_avx512;
#elif ASTRAWEAVE_ARM64
    case Tier::kNeon:
      return scan_dot_f16_neon;
#endif
    default:
      return scan_dot_f16_scalar;
  }
}

ScanF16 scan_l2_f16_kernel(Tier tier) noexcept {
  switch (tier) {
#if ASTRAWEAVE_X86
    case Tier::kAvx2:
      return scan_l2_f16_avx2;
    case Tier::kAvx512:
      return scan_l2_f16_avx512;
#elif ASTRAWEAVE_ARM64
    case Tier::kNeon:
      return scan_l2_f16_neon;
#endif
    default:
      return scan_l2_f16_scalar;
  }
}

}  // namespace astraweave::simd
