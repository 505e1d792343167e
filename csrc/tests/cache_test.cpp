#include <algorithm>
#include <random>
#include <set>
#include <string>

#include "cache/frequency_sketch.hpp"
#include "cache/keyed_hash.hpp"
#include "cache/prompt_cache.hpp"
#include "error.hpp"
#include "tests/check.hpp"

namespace astraweave::tests {
namespace {

using namespace cache;  // NOLINT(google-build-using-namespace): what is tested here

Options options(std::size_t max_bytes, Admission admission = Admission::kLru) {
  Options made;
  made.max_bytes = max_bytes;
  made.admission = admission;
  made.shards = 1;
  made.seed = 7;
  return made;
}

NewEntry entry(std::string_view key, std::string_view value, std::string_view tag = {}) {
  NewEntry made;
  made.key = key;
  made.value = value;
  made.tag = tag;
  return made;
}

bool holds(const PromptCache& cache, std::string_view key, double now = 0) {
  return static_cast<bool>(cache.get(key, now));
}

void hashes_differ_by_every_bit_length_and_seed() {
  const KeyedHash hash(1), other(2);
  for (const std::size_t size : {0, 1, 7, 8, 15, 16, 17, 63, 64, 65, 200}) {
    std::string text(size, '\0');
    std::set<std::uint64_t> seen{hash(text), other(text), hash(text + '\0')};
    CHECK(seen.size() == 3);
    for (std::size_t bit = 0; bit < 8 * size; ++bit) {
      std::string changed = text;
      changed[bit / 8] = static_cast<char>(1U << (bit % 8));
      CHECK(seen.insert(hash(changed)).second);
    }
  }
  // The bits that choose a shard and a cell are spread evenly.
  std::vector<int> low(64), high(64);
  for (int i = 0; i < 64'000; ++i) {
    const std::uint64_t value = hash("npc-" + std::to_string(i));
    ++low[value & 63];
    ++high[value >> 58];
  }
  for (const auto* counts : {&low, &high}) {
    CHECK(*std::min_element(counts->begin(), counts->end()) > 850);
    CHECK(*std::max_element(counts->begin(), counts->end()) < 1150);
  }
}

void sketch_counts_and_forgets() {
  FrequencySketch sketch(256);
  CHECK(sketch.count(99) == 0);
  for (unsigned i = 1; i <= 20; ++i) {
    sketch.record(99);
    CHECK(sketch.count(99) == std::min(i, 16U));
  }
  const KeyedHash hash(3);
  for (int i = 0; i < 30'000; ++i) sketch.record(hash(std::to_string(i)));
  CHECK(sketch.count(99) < 8);
}

void the_least_recently_used_goes() {
  PromptCache cache(options(3 * cost(1, 1)));
  for (const char* key : {"a", "b", "c"}) CHECK(cache.put(entry(key, "1")) == Put::kKept);
  CHECK(holds(cache, "a"));
  CHECK(cache.put(entry("d", "1")) == Put::kKept);
  CHECK(!holds(cache, "b"));
  CHECK(holds(cache, "a") && holds(cache, "c") && holds(cache, "d"));
  CHECK(cache.put(entry("a", std::string(3 * cost(1, 1), 'x'))) == Put::kRejected);
  CHECK(!holds(cache, "a"));
  CHECK(cache.stats().bytes == 2 * cost(1, 1));
  CHECK(cache.get("c", 0)->value() == "1");
}

void entries_end() {
  PromptCache cache(options(10'000));
  NewEntry mortal = entry("a", "1");
  mortal.born = 100;
  mortal.expires = 110;
  cache.put(mortal);
  CHECK(holds(cache, "a", 100) && holds(cache, "a", 109.9));
  CHECK(!holds(cache, "a", 110) && cache.size() == 0);
  cache.put(mortal);
  CHECK(!holds(cache, "a", 50));
  cache.put(mortal);
  cache.put(entry("b", "2"));
  CHECK(cache.purge(105) == 0 && cache.purge(200) == 1 && cache.size() == 1);
}

void tags_take_their_own() {
  PromptCache cache(options(100'000));
  for (int i = 0; i < 30; ++i) {
    cache.put(entry(std::to_string(i), "x", i % 3 == 0 ? "three" : "other"));
  }
  cache.put(entry("0", "x", "other"));
  CHECK(cache.remove("3") && !cache.remove("3"));
  CHECK(cache.invalidate("three") == 8 && cache.invalidate("three") == 0);
  CHECK(cache.invalidate("") == 0 && cache.size() == 21);
  CHECK(cache.invalidate("other") == 21 && cache.stats().bytes == 0);
}

void what_is_wanted_often_outlives_a_scan() {
  PromptCache cache(options(100 * cost(8, 8), Admission::kTinyLfu));
  const std::string value(8, 'v');
  const auto key = [](const char* kind, int i) {
    std::string name = kind + std::to_string(1'000 + i);
    name.resize(8, '_');
    return name;
  };
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 60; ++i) {
      if (!holds(cache, key("hot", i))) cache.put(entry(key("hot", i), value));
    }
  }
  for (int i = 0; i < 600; ++i) cache.put(entry(key("s", i), value));
  int kept = 0;
  for (int i = 0; i < 60; ++i) kept += holds(cache, key("hot", i));
  CHECK(kept >= 57);
  CHECK(cache.stats().bytes <= cache.max_bytes() && cache.stats().rejected > 400);
  CHECK(cache.put(entry("big", std::string(99 * cost(8, 8), 'x'))) == Put::kRejected);
}

// Any mix of sizes, ends and tags: never above the cap, and an answer is always its prompt's own.
void a_random_life(Admission admission) {
  std::mt19937 engine(5);
  PromptCache cache(options(20'000, admission));
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = "key" + std::to_string(engine() % 200);
    const double now = i * 0.01;
    if (engine() % 2 == 0) {
      if (const Found found = cache.get(key, now)) {
        CHECK(found->value().substr(0, key.size()) == key);
      }
    } else if (engine() % 40 == 0) {
      cache.invalidate("tag" + std::to_string(engine() % 5));
    } else {
      const std::string value = key + std::string(engine() % 900, 'x');
      const std::string tag = "tag" + std::to_string(engine() % 5);
      NewEntry made = entry(key, value, tag);
      made.born = now;
      if (engine() % 3 == 0) made.expires = now + 1;
      cache.put(made);
    }
    CHECK(cache.stats().bytes <= cache.max_bytes());
  }
  cache.clear();
  CHECK(cache.size() == 0 && cache.stats().bytes == 0);
}

void files_come_back() {
  PromptCache cache(options(10'000));
  NewEntry text = entry("a", "\xC3\xA4", "tag");
  text.text = true;
  cache.put(text);
  NewEntry mortal = entry("b", std::string_view("\0\xFF", 2));
  mortal.born = 5;
  mortal.expires = 15;
  cache.put(mortal);
  cache.put(entry("", ""));
  const std::string bytes = cache.to_bytes(5);
  PromptCache other(options(10'000));
  other.put(entry("old", "1"));
  CHECK(other.load_bytes(bytes, 1'000));
  CHECK(other.to_bytes(1'000) == bytes);
  CHECK(!holds(other, "old") && holds(other, "b", 1'009) && !holds(other, "b", 1'010));
  CHECK(other.get("a", 1'000)->text);
  CHECK(other.invalidate("tag") == 1);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    CHECK_THROWS(other.load_bytes(damaged, 0), kCorruptData);
    CHECK_THROWS(other.load_bytes(bytes.substr(0, i), 0), kCorruptData);
  }
  CHECK(holds(other, ""));
  PromptCache small(options(cost(1, 2)));
  small.load_bytes(bytes, 0);
  CHECK(small.size() == 1 && holds(small, ""));
}

void bad_options_are_errors() {
  CHECK_THROWS(PromptCache(options(kEntryOverhead)), kConfig);
  Options odd = options(100'000);
  odd.shards = 3;
  CHECK_THROWS(PromptCache(odd), kConfig);
  Options automatic;
  automatic.max_bytes = std::size_t{64} << 20;
  CHECK(PromptCache(automatic).shards() == 16);
}

}  // namespace

void run_cache_tests() {
  hashes_differ_by_every_bit_length_and_seed();
  sketch_counts_and_forgets();
  the_least_recently_used_goes();
  entries_end();
  tags_take_their_own();
  what_is_wanted_often_outlives_a_scan();
  a_random_life(Admission::kLru);
  a_random_life(Admission::kTinyLfu);
  files_come_back();
  bad_options_are_errors();
}

}  // namespace astraweave::tests
