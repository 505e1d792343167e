#include "threads/team.hpp"

#include <atomic>
#include <condition_variable>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "error.hpp"
#include "simd/target.hpp"

#if defined(__linux__)
#include <sys/resource.h>
#include <sys/syscall.h>
#endif
#if !defined(_WIN32)
#include <unistd.h>
#endif
#if ASTRAWEAVE_X86
#include <immintrin.h>
#endif

namespace astraweave::threads {
namespace {

constexpr int kGivesWay = 10;         // niceness over the process's own
constexpr int kSpins = 4'000;         // looks for the next job before a helper lets go, some 50 us
constexpr int kPatientSpins = 2'000;  // of the caller, for a chunk of another, before it lets go

void pause() noexcept {
#if ASTRAWEAVE_X86
  _mm_pause();
#elif ASTRAWEAVE_ARM64 && defined(__GNUC__)
  __asm__ volatile("yield");
#endif
}

long process_id() noexcept {
#if defined(_WIN32)
  return 0;
#else
  return static_cast<long>(::getpid());
#endif
}

void give_way() noexcept {
#if defined(__linux__)
  // Over the process's niceness, not over that of the thread that made this one, which may have
  // given way itself. A sandbox may forbid it; nothing depends on it.
  const int niceness = ::getpriority(PRIO_PROCESS, static_cast<id_t>(::getpid()));
  const auto self = static_cast<id_t>(::syscall(SYS_gettid));
  (void)::setpriority(PRIO_PROCESS, self, niceness + kGivesWay);
#endif
}

// A job as one number, so that it is claimed by one exchange: which one, its chunks, and the next
// of them to be claimed.
struct Ticket {
  static constexpr int kBits = 14;  // so that 2^36 jobs go by before a number comes again
  static constexpr std::uint64_t kMask = (std::uint64_t{1} << kBits) - 1;

  std::uint64_t value;
  static Ticket of(std::uint64_t job, std::size_t count) noexcept {
    return {job << (2 * kBits) | static_cast<std::uint64_t>(count) << kBits};
  }
  std::size_t next() const noexcept { return value & kMask; }
  std::size_t count() const noexcept { return value >> kBits & kMask; }
  std::uint64_t job() const noexcept { return value >> (2 * kBits); }
};

}  // namespace

struct Team::Shared {
  // What every thread looks at all the time, apart from what few do.
  alignas(64) std::atomic<std::uint64_t> ticket{0};
  alignas(64) std::atomic<std::size_t> done{0};
  // Of the job in the ticket. Written only when every chunk of the job before is done, so whoever
  // then claims a chunk has read those of its own job.
  alignas(64) std::atomic<Call> call{nullptr};
  std::atomic<const void*> work{nullptr};

  std::mutex turn;  // held by the step
  alignas(64) std::atomic<bool> stepping{false};
  std::mutex sleeping;
  std::condition_variable wake;
  bool stop = false;
  std::vector<std::thread> helpers;

  // Chunks of whatever job there is, until there is none left to claim; whether there was one.
  bool help(std::size_t thread) noexcept {
    bool helped = false;
    Ticket now{ticket.load(std::memory_order_acquire)};
    while (now.next() < now.count()) {
      const Call call_now = call.load(std::memory_order_relaxed);
      const void* work_now = work.load(std::memory_order_relaxed);
      if (!ticket.compare_exchange_weak(now.value, now.value + 1, std::memory_order_acq_rel,
                                        std::memory_order_acquire)) {
        continue;
      }
      call_now(work_now, now.next(), thread);
      done.fetch_add(1, std::memory_order_release);
      helped = true;
      now.value = ticket.load(std::memory_order_acquire);
    }
    return helped;
  }

  void serve(std::size_t thread) {
    give_way();
    while (true) {
      {
        std::unique_lock lock(sleeping);
        wake.wait(lock, [&] { return stop || stepping.load(std::memory_order_relaxed); });
        if (stop) return;
      }
      for (int spins = 0; stepping.load(std::memory_order_acquire);) {
        if (help(thread)) {
          spins = 0;
        } else if (++spins < kSpins) {
          pause();
        } else {
          std::this_thread::yield();
        }
      }
    }
  }

  void end() noexcept {
    {
      const std::lock_guard lock(sleeping);
      stop = true;
    }
    wake.notify_all();
    for (std::thread& helper : helpers) helper.join();
  }
};

Team::Team(std::size_t threads)
    : threads_(threads), process_(process_id()), shared_(std::make_unique<Shared>()) {
  if (threads < 1 || threads > kMostThreads) {
    throw Error(ErrorCode::kConfig, "a team has 1 to " + std::to_string(kMostThreads) +
                                        " threads, not " + std::to_string(threads));
  }
  try {
    for (std::size_t thread = 1; thread < threads; ++thread) {
      shared_->helpers.emplace_back([shared = shared_.get(), thread] { shared->serve(thread); });
    }
  } catch (const std::system_error& error) {
    shared_->end();
    throw Error(ErrorCode::kCapacity, "the system gives no more threads (" +
                                          std::string(error.what()) +
                                          "): open the model with fewer");
  }
}

Team::~Team() {
  if (in_child() && threads_ > 1) {
    (void)shared_.release();  // NOLINT: its threads never came along, so it cannot be taken apart
    return;
  }
  shared_->end();
}

bool Team::in_child() const noexcept { return process_id() != process_; }

void Team::share(std::size_t count, Call call, const void* work) noexcept {
  Shared& s = *shared_;
  s.done.store(0, std::memory_order_relaxed);
  s.call.store(call, std::memory_order_relaxed);
  s.work.store(work, std::memory_order_relaxed);
  const Ticket last{s.ticket.load(std::memory_order_relaxed)};
  s.ticket.store(Ticket::of(last.job() + 1, count).value, std::memory_order_release);
  s.help(0);
  for (int spins = 0; s.done.load(std::memory_order_acquire) < count;) {
    if (++spins < kPatientSpins) {
      pause();
    } else {
      std::this_thread::yield();  // whoever holds the chunk may need this very core
    }
  }
}

Team::Step::Step(Team& team) : team_(team) {
  if (team.threads_ > 1 && team.in_child()) {
    throw Error(ErrorCode::kUsage,
                "this process was forked after the model was opened, and the model's threads did "
                "not come along; open the model in the child, or start it with 'spawn'");
  }
  turn_ = std::unique_lock(team.shared_->turn);
  if (team.threads_ == 1) return;
  {
    const std::lock_guard lock(team.shared_->sleeping);
    team.shared_->stepping.store(true, std::memory_order_release);
  }
  team.shared_->wake.notify_all();
}

Team::Step::~Step() {
  if (team_.threads_ > 1) team_.shared_->stepping.store(false, std::memory_order_release);
}

}  // namespace astraweave::threads
