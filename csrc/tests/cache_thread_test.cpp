// Threads that look up, put, save and invalidate at once; the thread sanitizer watches, and every
// reader checks that an answer belongs to its prompt.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "cache/prompt_cache.hpp"
#include "tests/check.hpp"

namespace astraweave::tests {
namespace {

using namespace cache;  // NOLINT(google-build-using-namespace): what is tested here

std::string key_of(unsigned i) { return "prompt " + std::to_string(i % 300); }

void work(PromptCache& cache, unsigned seed) {
  for (unsigned i = 0, n = seed; i < 4'000; ++i, n = n * 1'664'525 + 1'013'904'223) {
    const std::string key = key_of(n >> 8);
    if (const Found found = cache.get(key, i, i % 2 == 0 ? Wait::kSpin : Wait::kBlock)) {
      CHECK(found->value().substr(0, key.size()) == key);
      continue;
    }
    const std::string value = key + std::string(n % 100, 'x');
    NewEntry entry;
    entry.key = key;
    entry.value = value;
    entry.born = i;
    entry.expires = i % 3 == 0 ? i + 500 : kForever;
    entry.tag = i % 5 == 0 ? "tag" : "";
    if (cache.put(entry, Wait::kSpin) == Put::kBusy) cache.put(entry);
    if (i % 200 == 0) cache.invalidate("tag");
    if (i % 300 == 0) cache.purge(i);
  }
}

}  // namespace

void run_cache_thread_tests() {
  for (const Admission admission : {Admission::kLru, Admission::kTinyLfu}) {
    Options options;
    options.max_bytes = 50'000;
    options.admission = admission;
    options.shards = 4;
    PromptCache cache(options);
    std::atomic<bool> stop{false};
    std::thread saver([&] {
      while (!stop.load()) {
        PromptCache copy(options);
        copy.load_bytes(cache.to_bytes(0), 0);
        CHECK(cache.stats().bytes <= 50'000);
      }
    });
    std::vector<std::thread> workers;
    for (unsigned i = 0; i < 3; ++i) workers.emplace_back([&cache, i] { work(cache, i + 1); });
    for (std::thread& worker : workers) worker.join();
    stop = true;
    saver.join();
    CHECK(cache.size() > 0);
  }
}

}  // namespace astraweave::tests
