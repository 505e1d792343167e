#include "simd/tier.hpp"

#include <atomic>
#include <cstdlib>
#include <string>

#include "error.hpp"
#include "simd/target.hpp"

#if ASTRAWEAVE_X86 && defined(_MSC_VER)
#include <intrin.h>
#elif ASTRAWEAVE_X86
#include <cpuid.h>
#endif

namespace astraweave::simd {
namespace {

#if ASTRAWEAVE_X86 && defined(_MSC_VER)
bool os_saves(unsigned mask) { return (_xgetbv(0) & mask) == mask; }

bool has_avx2() {
  int regs[4];
  __cpuidex(regs, 1, 0);
  const bool avx = (regs[2] >> 28 & 1) && (regs[2] >> 27 & 1) && (regs[2] >> 12 & 1) &&
                   (regs[2] >> 29 & 1) && os_saves(0x6);
  __cpuidex(regs, 7, 0);
  return avx && (regs[1] >> 5 & 1);
}

bool has_avx512() {
  int regs[4];
  __cpuidex(regs, 7, 0);
  const auto bit = [](int reg, int index) { return (reg >> index & 1) != 0; };
  return has_avx2() && os_saves(0xe6) && bit(regs[1], 16) && bit(regs[1], 17) && bit(regs[1], 30) &&
         bit(regs[1], 31) && bit(regs[2], 11);
}
#elif ASTRAWEAVE_X86
bool has_f16c() {  // older clangs do not know the name
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c >> 29 & 1) != 0;
}

bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
}
#endif

std::vector<Tier> detect() {
  std::vector<Tier> tiers{Tier::kScalar};
#if ASTRAWEAVE_X86
  if (has_avx2()) tiers.push_back(Tier::kAvx2);
  if (has_avx512()) tiers.push_back(Tier::kAvx512);
#elif ASTRAWEAVE_ARM64
  tiers.push_back(Tier::kNeon);
#endif
  return tiers;
}

Tier parse(std::string_view name) {
  std::string have;
  for (const Tier tier : available_tiers()) {
    if (tier_name(tier) == name) return tier;
    have += have.empty() ? "" : ", ";
    have += tier_name(tier);
  }
  throw Error(ErrorCode::kConfig,
              "SIMD tier '" + std::string(name) +
                  "' is unknown or missing on this processor, which has: " + have);
}

Tier initial() {
  const char* wanted = std::getenv("ASTRAWEAVE_SIMD");
  return wanted != nullptr && *wanted != '\0' ? parse(wanted) : available_tiers().back();
}

std::atomic<Tier>& current() {
  static std::atomic<Tier> tier{initial()};
  return tier;
}

}  // namespace

std::string_view tier_name(Tier tier) noexcept {
  switch (tier) {
    case Tier::kAvx2:
      return "avx2";
    case Tier::kAvx512:
      return "avx512";
    case Tier::kNeon:
      return "neon";
    case Tier::kScalar:
      break;
  }
  return "scalar";
}

const std::vector<Tier>& available_tiers() {
  static const std::vector<Tier> tiers = detect();
  return tiers;
}

Tier active_tier() { return current().load(std::memory_order_relaxed); }

void force_tier(std::string_view name) { current().store(parse(name), std::memory_order_relaxed); }

}  // namespace astraweave::simd
