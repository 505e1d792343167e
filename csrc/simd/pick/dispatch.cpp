#include "simd/pick/pick.hpp"
#include "simd/target.hpp"

namespace astraweave::simd {

PickDot pick_dot_kernel(Tier tier) noexcept {
  switch (tier) {
#if ASTRAWEAVE_X86
    case Tier::kAvx2:
      return pick_dot_avx2;
    case Tier::kAvx512:
      return pick_dot_avx512;
#endif
    default:
      return pick_dot_scalar;
  }
}

PickL2 pick_l2_kernel(Tier tier) noexcept {
  switch (tier) {
#if ASTRAWEAVE_X86
    case Tier::kAvx2:
      return pick_l2_avx2;
    case Tier::kAvx512:
      return pick_l2_avx512;
#endif
    default:
      return pick_l2_scalar;
  }
}

}  // namespace astraweave::simd
