// Native unit tests, for the sanitizers; .ci/native-tests builds and runs them.
#include <cstdio>
#include <cstring>
#include <string>

#include "error.hpp"
#include "simd/tier.hpp"
#include "tests/check.hpp"

// With --probe: only says, by its exit status, whether this processor has the tier that
// ASTRAWEAVE_SIMD names.
int main(int count, char** arguments) {
  namespace simd = astraweave::simd;
  namespace tests = astraweave::tests;
  if (count > 1 && std::strcmp(arguments[1], "--probe") == 0) {
    try {
      simd::active_tier();
      return 0;
    } catch (const astraweave::Error&) {
      return 1;
    }
  }
  std::printf("native tests, tier %s\n", std::string(simd::tier_name(simd::active_tier())).c_str());
  tests::run_simd_tests();
  tests::run_codes_tests();
  tests::run_rows_tests();
  tests::run_attend_tests();
  tests::run_kv_pages_tests();
  tests::run_attention_tests();
  tests::run_io_tests();
  tests::run_hnsw_tests();
  tests::run_hnsw_thread_tests();
  tests::run_index_tests();
  tests::run_index_thread_tests();
  tests::run_tokens_tests();
  tests::run_cache_tests();
  tests::run_cache_thread_tests();
  tests::run_mailbox_tests();
  tests::run_product_tests();
  tests::run_team_thread_tests();
  tests::run_decoder_tests();
  std::printf("all passed\n");
  return 0;
}
