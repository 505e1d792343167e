#include "simd/rows/rows.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_ARM64
#include "simd/wide/neon.hpp"
// The words come first.
#include "simd/rows/body.hpp"

namespace astraweave::simd {

const RowKernels kRowsNeon{rms_norm, rope, silu_multiply};

}  // namespace astraweave::simd
#endif
