// A lock for critical sections of a tenth of a microsecond. Letting go is a plain store, so nobody
// waits for it; whoever does not get it soon gives up the processor, for the holder may be waiting
// for one.
#pragma once

#include <atomic>
#include <thread>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace astraweave::cache {

class SpinLock {
 public:
  bool try_lock() noexcept {
    return !held_.load(std::memory_order_relaxed) &&
           !held_.exchange(true, std::memory_order_acquire);
  }
  // Tries for a microsecond or so.
  bool spin() noexcept {
    for (int i = 0; i < kSpins; ++i) {
      if (try_lock()) return true;
      pause();
    }
    return false;
  }
  void lock() noexcept {
    while (!spin()) std::this_thread::yield();
  }
  void unlock() noexcept { held_.store(false, std::memory_order_release); }

 private:
  static constexpr int kSpins = 64;
  static void pause() noexcept {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
    asm volatile("yield");
#endif
  }
  std::atomic<bool> held_{false};
};

}  // namespace astraweave::cache
