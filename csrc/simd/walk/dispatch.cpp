#include "simd/target.hpp"
#include "simd/walk/walk.hpp"

namespace astraweave::simd {

WalkCodes walk_codes_kernel(Tier tier) noexcept {
  switch (tier) {
#if ASTRAWEAVE_X86
    case Tier::kAvx2:
      return walk_codes_avx2;
    case Tier::kAvx512:
      return walk_codes_avx512;
#elif ASTRAWEAVE_ARM64
    case Tier::kNeon:
      return walk_codes_neon;
#endif
    default:
      return walk_codes_scalar;
  }
}

CentreCodes centre_codes_kernel(Tier tier) noexcept {
  switch (tier) {
#if ASTRAWEAVE_X86
    case Tier::kAvx2:
      return centre_codes_avx2;
    case Tier::kAvx512:
      return centre_codes_avx512;
#elif ASTRAWEAVE_ARM64
    case Tier::kNeon:
      return centre_codes_neon;
#endif
    default:
      return centre_codes_scalar;
  }
}

}  // namespace astraweave::simd
