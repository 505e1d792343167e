#include "simd/rows/rows.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86
#include "simd/wide/avx512.hpp"
// The words come first.
#include "simd/rows/body.hpp"

namespace astraweave::simd {

const RowKernels kRowsAvx512{rms_norm, rope, silu_multiply};

}  // namespace astraweave::simd
#endif
