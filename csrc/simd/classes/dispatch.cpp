#include "simd/classes/classes.hpp"
#include "simd/target.hpp"

namespace astraweave::simd {

ClassifyBytes classify_bytes_kernel(Tier tier) noexcept {
  switch (tier) {
#if ASTRAWEAVE_X86
    case Tier::kAvx2:
      return classify_bytes_avx2;
    case Tier::kAvx512:
      return classify_bytes_avx512;
#elif ASTRAWEAVE_ARM64
    case Tier::kNeon:
      return classify_bytes_neon;
#endif
    default:
      return classify_bytes_scalar;
  }
}

}  // namespace astraweave::simd
