// The smallest test framework that does: CHECK, and a list of functions.
#pragma once

#include <cstdio>
#include <cstdlib>

#define CHECK(condition)                                                                 \
  do {                                                                                   \
    if (!(condition)) {                                                                  \
      std::fprintf(stderr, "%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                                      \
    }                                                                                    \
  } while (false)

// `call` has to throw Error with this code.
#define CHECK_THROWS(call, wanted)                             \
  do {                                                         \
    bool threw = false;                                        \
    try {                                                      \
      (void)(call);                                            \
    } catch (const ::astraweave::Error& error) {               \
      threw = error.code() == ::astraweave::ErrorCode::wanted; \
    }                                                          \
    CHECK(threw);                                              \
  } while (false)

namespace astraweave::tests {

void run_attend_tests();
void run_attention_tests();
void run_cache_tests();
void run_cache_thread_tests();
void run_simd_tests();
void run_codes_tests();
void run_io_tests();
void run_mailbox_tests();
void run_decoder_tests();
void run_hnsw_tests();
void run_hnsw_thread_tests();
void run_index_tests();
void run_index_thread_tests();
void run_kv_pages_tests();
void run_product_tests();
void run_rows_tests();
void run_team_thread_tests();
void run_tokens_tests();
void run_words_tests();

}  // namespace astraweave::tests
