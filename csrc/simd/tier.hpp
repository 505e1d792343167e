// Which instruction sets the kernels of simd/ may use. Chosen once, at load.
#pragma once

#include <string_view>
#include <vector>

namespace astraweave::simd {

enum class Tier { kScalar, kAvx2, kAvx512, kNeon };

std::string_view tier_name(Tier tier) noexcept;

// What this processor has, weakest first; always starts with kScalar.
const std::vector<Tier>& available_tiers();

// The strongest of them, or the one that ASTRAWEAVE_SIMD names. Throws Error(kConfig) when that
// name is unknown or the processor lacks it.
Tier active_tier();

// For the tests: run the kernels of another tier from now on. Throws like active_tier().
void force_tier(std::string_view name);

}  // namespace astraweave::simd
