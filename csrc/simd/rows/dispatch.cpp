#include "simd/rows/rows.hpp"

namespace astraweave::simd {

const RowKernels& row_kernels(Tier) noexcept { return kRowsScalar; }

}  // namespace astraweave::simd
