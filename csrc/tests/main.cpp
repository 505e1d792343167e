// Native unit tests, for the sanitizers; .ci/native-tests builds and runs them.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>

#include "error.hpp"
#include "simd/tier.hpp"
#include "tests/check.hpp"

namespace {

namespace tests = astraweave::tests;

struct Test {
  const char* name;
  void (*run)();
  bool has_threads = false;
};

constexpr Test kTests[] = {
    {"simd", tests::run_simd_tests},
    {"codes", tests::run_codes_tests},
    {"rows", tests::run_rows_tests},
    {"attend", tests::run_attend_tests},
    {"kv_pages", tests::run_kv_pages_tests},
    {"attention", tests::run_attention_tests, true},
    {"io", tests::run_io_tests},
    {"hnsw", tests::run_hnsw_tests},
    {"hnsw_thread", tests::run_hnsw_thread_tests, true},
    {"index", tests::run_index_tests},
    {"index_thread", tests::run_index_thread_tests, true},
    {"tokens", tests::run_tokens_tests},
    {"words", tests::run_words_tests},
    {"cache", tests::run_cache_tests},
    {"cache_thread", tests::run_cache_thread_tests, true},
    {"mailbox", tests::run_mailbox_tests, true},
    {"product", tests::run_product_tests},
    {"team_thread", tests::run_team_thread_tests, true},
    {"decoder", tests::run_decoder_tests, true},
};

}  // namespace

// With --threads: the tests that have some, for the thread sanitizer.
// With --probe: only says, by its exit status, whether this processor has the tier that
// ASTRAWEAVE_SIMD names.
int main(int count, char** arguments) {
  namespace simd = astraweave::simd;
  if (count > 1 && std::strcmp(arguments[1], "--probe") == 0) {
    try {
      simd::active_tier();
      return 0;
    } catch (const astraweave::Error&) {
      return 1;
    }
  }
  const bool only_threads = count > 1 && std::strcmp(arguments[1], "--threads") == 0;
  std::printf("native tests, tier %s\n", std::string(simd::tier_name(simd::active_tier())).c_str());
  for (const Test& test : kTests) {
    if (only_threads && !test.has_threads) continue;
    const auto start = std::chrono::steady_clock::now();
    test.run();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (took.count() > 1) std::printf("  %s: %.0f s\n", test.name, took.count());
  }
  std::printf("all passed\n");
  return 0;
}
