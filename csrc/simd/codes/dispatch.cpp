#include "simd/codes/codes.hpp"
#include "simd/target.hpp"

namespace astraweave::simd {

GatherCodes gather_codes_kernel(Tier tier) noexcept {
  switch (tier) {
#if ASTRAWEAVE_X86
    case Tier::kAvx2:
      return gather_codes_avx2;
    case Tier::kAvx512:
      return gather_codes_avx512;
#elif ASTRAWEAVE_ARM64
    case Tier::kNeon:
      return gather_codes_neon;
#endif
    default:
      return gather_codes_scalar;
  }
}

ScanCodes scan_codes_kernel(Tier tier) noexcept {
  switch (tier) {
#if ASTRAWEAVE_X86
    case Tier::kAvx2:
      return scan_codes_avx2;
    case Tier::kAvx512:
      return scan_codes_avx512;
#elif ASTRAWEAVE_ARM64
    case Tier::kNeon:
      return scan_codes_neon;
#endif
    default:
      return scan_codes_scalar;
  }
}

}  // namespace astraweave::simd
