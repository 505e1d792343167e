#include "tokens/count_many.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

namespace astraweave::tokens {
namespace {

// What a thread has to do to be worth starting: some 50 us of counting.
constexpr std::size_t kBytesForAThread = 1 << 14;
constexpr std::size_t kGrain = 8;  // texts that are taken at once

}  // namespace

std::vector<std::size_t> count_many(const Tokenizer& tokenizer,
                                    std::span<const std::string_view> texts, bool special,
                                    std::size_t threads) {
  std::vector<std::size_t> counts(texts.size());
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex failing;
  const auto work = [&]() noexcept {
    try {
      for (std::size_t first; (first = next.fetch_add(kGrain)) < texts.size();) {
        const std::size_t last = std::min(first + kGrain, texts.size());
        for (std::size_t i = first; i < last; ++i) counts[i] = tokenizer.count(texts[i], special);
      }
    } catch (...) {
      const std::lock_guard lock(failing);
      failure = std::current_exception();
      next = texts.size();
    }
  };
  std::size_t bytes = 0;
  for (const std::string_view text : texts) bytes += text.size();
  const std::size_t useful =
      std::min({threads, 1 + bytes / kBytesForAThread, (texts.size() + kGrain - 1) / kGrain});
  std::vector<std::thread> helpers;
  try {
    for (std::size_t i = 1; i < useful; ++i) helpers.emplace_back(work);
  } catch (const std::system_error&) {  // NOLINT(bugprone-empty-catch)
    // No more threads to be had: fewer do it as well.
  }
  work();
  for (std::thread& helper : helpers) helper.join();
  if (failure) std::rethrow_exception(failure);
  return counts;
}

}  // namespace astraweave::tokens
