#include "simd/attend/attend.hpp"

namespace astraweave::simd {

AttendKernels attend_kernels(Tier, KvKind kind) noexcept { return attend_scalar(kind); }

}  // namespace astraweave::simd
