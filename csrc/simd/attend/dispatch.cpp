#include "simd/attend/attend.hpp"
#include "simd/target.hpp"

namespace astraweave::simd {

AttendKernels attend_kernels(Tier tier, KvKind kind) noexcept {
  switch (tier) {
#if ASTRAWEAVE_X86
    case Tier::kAvx2:
      return attend_avx2(kind);
    case Tier::kAvx512:
      return attend_avx512(kind);
#elif ASTRAWEAVE_ARM64
    case Tier::kNeon:
      return attend_neon(kind);
#endif
    default:
      return attend_scalar(kind);
  }
}

}  // namespace astraweave::simd
