#include "simd/classes/classes.hpp"
#include "simd/target.hpp"

namespace astraweave::simd {

ByteClasses byte_classes_kernel(Tier tier) noexcept {
  switch (tier) {
#if ASTRAWEAVE_X86
    case Tier::kAvx2:
      return byte_classes_avx2;
    case Tier::kAvx512:
      return byte_classes_avx512;
#elif ASTRAWEAVE_ARM64
    case Tier::kNeon:
      return byte_classes_neon;
#endif
    default:
      return byte_classes_scalar;
  }
}

}  // namespace astraweave::simd
