// Instruction sets by function, not by file: every translation unit stays baseline, so that no
// inline function of a header is ever compiled for a machine that may not be there.
#pragma once

#if defined(__x86_64__) || defined(_M_X64)
#define ASTRAWEAVE_X86 1
#else
#define ASTRAWEAVE_X86 0
#endif
#if defined(__aarch64__) || defined(_M_ARM64)
#define ASTRAWEAVE_ARM64 1
#else
#define ASTRAWEAVE_ARM64 0
#endif

#if defined(__GNUC__)
#define ASTRAWEAVE_TARGET(isa) __attribute__((target(isa)))
#else
#define ASTRAWEAVE_TARGET(isa)  // MSVC compiles every intrinsic anywhere
#endif
#define ASTRAWEAVE_TARGET_AVX2 ASTRAWEAVE_TARGET("avx2,fma,f16c")
#define ASTRAWEAVE_TARGET_AVX512 \
  ASTRAWEAVE_TARGET("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

// Before a loop over registers in an array: only unrolled early do they stay registers.
#if defined(__clang__)
#define ASTRAWEAVE_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define ASTRAWEAVE_UNROLL _Pragma("GCC unroll 32")
#else
#define ASTRAWEAVE_UNROLL
#endif
