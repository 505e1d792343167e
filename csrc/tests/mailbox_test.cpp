// Order, the last lane's turn, growth, and the wake flag; then threads, which the thread sanitizer
// watches: nothing is lost, nothing comes twice, each poster's items come in its own order, and a
// sleeper is always woken.
#include "mailbox/mailbox.hpp"

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/check.hpp"

namespace astraweave::tests {
namespace {

using mailbox::kLanes;
using mailbox::Mailbox;

void* item_of(std::uintptr_t value) { return reinterpret_cast<void*>(value); }
std::uintptr_t value_of(void* item) { return reinterpret_cast<std::uintptr_t>(item); }

void test_order() {
  Mailbox box;
  CHECK(box.take() == nullptr);
  for (std::uintptr_t i = 1; i <= 2'000; ++i) box.post(item_of(i), 2);
  box.post(item_of(9'001), 0);
  CHECK(box.size() == 2'001);
  std::size_t seen = 0;
  box.each([&](void*) { ++seen; });
  CHECK(seen == 2'001);
  CHECK(value_of(box.take()) == 9'001);
  for (std::uintptr_t i = 1; i <= 2'000; ++i) CHECK(value_of(box.take()) == i);
  CHECK(box.take() == nullptr);
  CHECK(box.size() == 0 && box.posted(2) == 2'000 && box.taken(2) == 2'000);
}

void test_last_lanes_turn() {
  Mailbox box;
  box.post(item_of(7), kLanes - 1);
  for (std::uintptr_t i = 0; i < 20; ++i) box.post(item_of(100 + i), 0);
  for (int i = 0; i < 7; ++i) CHECK(value_of(box.take()) >= 100);
  CHECK(value_of(box.take()) == 7);
}

void test_armed_once() {
  Mailbox box;
  CHECK(!box.post(item_of(1), 0));
  CHECK(!box.arm());
  CHECK(box.post(item_of(2), 0));
  CHECK(!box.post(item_of(3), 0));
  while (box.take() != nullptr) {
  }
  CHECK(box.arm());
}

void test_threads() {
  constexpr std::uintptr_t kPosters = 3;
  constexpr std::uintptr_t kEach = 20'000;
  Mailbox box;
  std::mutex mutex;
  std::condition_variable news;
  bool woken = false;
  std::vector<std::thread> posters;
  for (std::uintptr_t poster = 0; poster < kPosters; ++poster) {
    posters.emplace_back([&, poster] {
      for (std::uintptr_t i = 1; i <= kEach; ++i) {
        if (box.post(item_of(poster << 32U | i), i % 2)) {
          const std::lock_guard lock(mutex);
          woken = true;
          news.notify_one();
        }
        if (i % 1'000 == 0) std::this_thread::yield();
      }
    });
  }
  std::uintptr_t last[kPosters][2] = {};
  for (std::uintptr_t taken = 0; taken < kPosters * kEach;) {
    if (void* item = box.take()) {
      const std::uintptr_t poster = value_of(item) >> 32U;
      const std::uintptr_t number = value_of(item) & 0xffff'ffffU;
      CHECK(number > last[poster][number % 2]);
      last[poster][number % 2] = number;
      ++taken;
    } else if (box.arm()) {
      std::unique_lock lock(mutex);
      news.wait(lock, [&] { return woken; });  // for ever, if a wake-up is lost
      woken = false;
    }
  }
  for (std::thread& poster : posters) poster.join();
  CHECK(box.take() == nullptr);
  CHECK(box.size() == 0);
}

}  // namespace

void run_mailbox_tests() {
  test_order();
  test_last_lanes_turn();
  test_armed_once();
  test_threads();
}

}  // namespace astraweave::tests
