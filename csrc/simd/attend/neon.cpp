#include "simd/attend/attend.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_ARM64
#include "simd/wide/neon.hpp"
// The words come first.
#include "simd/attend/body.hpp"

namespace astraweave::simd {

AttendKernels attend_neon(KvKind kind) noexcept { return kernels_of(kind); }

}  // namespace astraweave::simd
#endif
