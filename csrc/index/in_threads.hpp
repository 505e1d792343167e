// Work over a range, split between threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace astraweave::index {

// Calls work(first, count) for neighbouring parts of 0 .. n - 1, one on this thread and the others
// each on one of its own, so far as the system gives them, and returns when all are done. The first
// exception is thrown on.
template <class Work>
void in_threads(std::size_t n, std::size_t threads, Work work) {
  const std::size_t parts = std::max<std::size_t>(1, std::min(n, threads));
  if (parts == 1) return work(0, n);
  std::exception_ptr failure;
  std::mutex failing;
  const auto guarded = [&](std::size_t part) {
    const std::size_t first = n * part / parts;
    try {
      work(first, n * (part + 1) / parts - first);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(failing);
      if (!failure) failure = std::current_exception();
    }
  };
  std::vector<std::thread> running;
  running.reserve(parts - 1);
  for (std::size_t part = 1; part < parts; ++part) {
    try {
      running.emplace_back(guarded, part);
    } catch (const std::system_error&) {
      guarded(part);
    }
  }
  guarded(0);
  for (std::thread& each : running) each.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace astraweave::index
