// Any bytes as the file of a prompt cache: an error of ours, or a cache that gives them back.
#include <cstring>

#include "cache/prompt_cache.hpp"
#include "error.hpp"
#include "fuzz/fuzz.hpp"
#include "io/crc32c.hpp"

namespace {

using namespace astraweave::cache;  // NOLINT(google-build-using-namespace): what is tested here

// Checksums would stop nearly every mutation at the door; a sealed one gets to what is behind it.
void seal(std::string& bytes) {
  const auto put = [&](std::size_t end) {
    const std::uint32_t sum = astraweave::io::crc32c(bytes.data(), end);
    std::memcpy(bytes.data() + end, &sum, sizeof sum);
  };
  if (bytes.size() >= 16) put(12);
  if (bytes.size() >= 28) put(bytes.size() - 4);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  astraweave::fuzz::Reader reader(data, size);
  const std::uint8_t first = reader.byte();
  std::string bytes(reader.rest());
  if ((first & 1) != 0) seal(bytes);
  Options options;
  options.max_bytes = std::size_t{1} << 20;
  options.shards = 1;
  options.seed = 1;
  if ((first & 2) != 0) {
    options.max_bytes = 1'000;
    options.admission = Admission::kTinyLfu;
  }
  PromptCache cache(options);
  NewEntry before;
  before.key = "before";
  cache.put(before);
  try {
    cache.load_bytes(bytes, 0);
    FUZZ_CHECK(cache.stats().bytes <= options.max_bytes);
    const std::string again = cache.to_bytes(0);
    if (options.admission == Admission::kLru) FUZZ_CHECK(again == bytes);
    PromptCache copy(options);
    copy.load_bytes(again, 0);
    FUZZ_CHECK(copy.stats().bytes <= options.max_bytes);
    cache.purge(1e300);
    cache.clear();
    FUZZ_CHECK(cache.size() == 0);
  } catch (const astraweave::Error&) {
    FUZZ_CHECK(cache.size() == 1);
  }
  return 0;
}
