#include "simd/product/product.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86 && defined(_MSC_VER)
#include <intrin.h>
#elif ASTRAWEAVE_X86
#include <cpuid.h>
#endif

namespace astraweave::simd {

bool has_avxvnni() noexcept {
#if ASTRAWEAVE_X86 && defined(_MSC_VER)
  int regs[4];
  __cpuidex(regs, 7, 1);
  return (regs[0] >> 4 & 1) != 0;
#elif ASTRAWEAVE_X86
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1) != 0;
#else
  return false;
#endif
}

ProductKernels product_kernels(Tier tier) noexcept {
  switch (tier) {
#if ASTRAWEAVE_X86
    case Tier::kAvx2:
      if (has_avxvnni())
        return {quantised_bytes_vnni_avx2, quantise_row_vnni_avx2, multiply_panels_vnni_avx2};
      return {quantised_bytes_avx2, quantise_row_avx2, multiply_panels_avx2};
    case Tier::kAvx512:
      return {quantised_bytes_avx512, quantise_row_avx512, multiply_panels_avx512};
#elif ASTRAWEAVE_ARM64
    case Tier::kNeon:
      return {quantised_bytes_neon, quantise_row_neon, multiply_panels_neon};
#endif
    default:
      return {quantised_bytes_scalar, quantise_row_scalar, multiply_panels_scalar};
  }
}

}  // namespace astraweave::simd
