#include "simd/attend/attend.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86
#include "simd/wide/avx2.hpp"
// The words come first.
#include "simd/attend/body.hpp"

namespace astraweave::simd {

AttendKernels attend_avx2(KvKind kind) noexcept { return kernels_of(kind); }

}  // namespace astraweave::simd
#endif
