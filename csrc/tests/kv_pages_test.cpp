// What the state machine of the Python tests does not see: the memory itself.
#include "decoder/kv_pages.hpp"

#include <cstring>
#include <vector>

#include "error.hpp"
#include "tests/check.hpp"

namespace astraweave::tests {
namespace {

using decoder::KvPages;
using decoder::KvShape;

constexpr KvShape kShape{2, 3, 16, simd::KvKind::kHalf};
constexpr std::size_t kPageBytes = 2 * 3 * 16 * 16 * 2 * 2;

void mark(KvPages& pages, KvPages::Sequence sequence, std::byte with) {
  for (const auto page : pages.pages(sequence)) {
    for (std::size_t head = 0; head < 3; ++head) {
      std::memset(pages.block(page, 1, head), static_cast<int>(with), kPageBytes / 6);
    }
  }
}

void a_fork_copies_when_someone_writes() {
  KvPages pages(kShape, 8 * kPageBytes, 4, 64);
  const auto first = pages.open();
  pages.append(first, 20);
  mark(pages, first, std::byte{1});
  const auto second = pages.fork(first, 18);
  CHECK(pages.report().used_tokens == 32);
  CHECK(pages.pages(second)[1] == pages.pages(first)[1]);
  pages.append(second, 1);
  CHECK(pages.report().used_tokens == 48);
  CHECK(pages.pages(second)[0] == pages.pages(first)[0]);
  CHECK(pages.pages(second)[1] != pages.pages(first)[1]);
  CHECK(*pages.block(pages.pages(second)[1], 1, 2) == std::byte{1});
  const auto own = pages.pages(first)[1];
  pages.append(first, 1);  // nobody else has it any more
  CHECK(pages.pages(first)[1] == own);
  pages.release(first);
  CHECK(pages.report().used_tokens == 32);
  CHECK(pages.length(second) == 19);
}

void what_fails_changes_nothing() {
  KvPages pages(kShape, 4 * kPageBytes + 5, 3, 48);
  CHECK(pages.report().capacity_bytes == 4 * kPageBytes);
  const auto a = pages.open(), b = pages.open();
  const std::vector<KvPages::Growth> fits{{a, 30}, {b, 17}}, twice{{a, 1}, {a, 1}},
      full{{a, 3}, {b, 3}}, many{{a, 1}, {b, 100}}, closed{{a, 1}, {2, 1}};
  pages.append(fits);
  CHECK_THROWS((pages.append(twice), 0), kInput);
  CHECK_THROWS((pages.append(full), 0), kCapacity);
  CHECK_THROWS((pages.append(many), 0), kCapacity);
  CHECK_THROWS((pages.append(closed), 0), kInput);
  CHECK_THROWS(pages.fork(a, 31), kInput);
  CHECK_THROWS((pages.truncate(a, 31), 0), kInput);
  CHECK_THROWS(pages.length(-1), kInput);
  CHECK(pages.length(a) == 30 && pages.length(b) == 17);
  CHECK(pages.report().used_tokens == 64);
  const auto c = pages.fork(a, 30);
  CHECK_THROWS(pages.open(), kCapacity);
  CHECK_THROWS((pages.append(c, 1), 0), kCapacity);  // the copy of its last page has no room
  pages.release(a);
  pages.append(c, 1);
  pages.release(b);
  pages.release(c);
  CHECK_THROWS((pages.release(c), 0), kInput);
  CHECK(pages.report().used_bytes == 0 && pages.report().sequences == 0);
}

void shapes_that_there_are_none_of() {
  const auto make = [](KvShape shape, std::size_t budget) { KvPages(shape, budget, 1, 16); };
  CHECK_THROWS((make({0, 1, 64, simd::KvKind::kHalf}, 1 << 20), 0), kConfig);
  CHECK_THROWS((make({1, 1, 24, simd::KvKind::kHalf}, 1 << 20), 0), kConfig);
  CHECK_THROWS((make({1, 1, 272, simd::KvKind::kHalf}, 1 << 20), 0), kConfig);
  CHECK_THROWS((make(kShape, kPageBytes - 1), 0), kConfig);
}

// More than any machine here has, as long as nobody touches it.
void untouched_memory_costs_nothing() {
  KvPages pages({30, 3, 64, simd::KvKind::kByte}, std::size_t{1} << 38, 4096, 8192);
  const auto sequence = pages.open();
  pages.append(sequence, 16);
  CHECK(*pages.block(pages.pages(sequence)[0], 29, 2) == std::byte{0});
}

}  // namespace

void run_kv_pages_tests() {
  a_fork_copies_when_someone_writes();
  what_fails_changes_nothing();
  shapes_that_there_are_none_of();
  untouched_memory_costs_nothing();
}

}  // namespace astraweave::tests
