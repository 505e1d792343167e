#include "simd/rows/rows.hpp"
#include "simd/target.hpp"

namespace astraweave::simd {

const RowKernels& row_kernels(Tier tier) noexcept {
  switch (tier) {
#if ASTRAWEAVE_X86
    case Tier::kAvx2:
      return kRowsAvx2;
    case Tier::kAvx512:
      return kRowsAvx512;
#elif ASTRAWEAVE_ARM64
    case Tier::kNeon:
      return kRowsNeon;
#endif
    default:
      return kRowsScalar;
  }
}

}  // namespace astraweave::simd
