// A few threads that do the parts of one computation together, again and again within a step.
//
// A step is begun by one thread (others that want one wait), runs any number of jobs, and ends. A
// job is `count` chunks; whoever is free claims the next, the caller too. So a thread that the
// system took away holds the others up by the chunk that it is in, never by a share. Between the
// jobs of a step the helpers spin for a moment, between steps they sleep: nothing is taken from a
// game while no step runs. A team of one is no thread at all: jobs are loops.
//
// Contract:
// - Step is for one thread at a time; its constructor waits for the step of another thread to end.
//   Chunks must not throw, nor begin a step of the same team.
// - What a job's chunks wrote is seen by the caller behind run(), and by all chunks of later jobs.
// - Helpers run with a lower priority than the process (Linux), as core/threads.py does it.
// - A forked child has no helpers: there Step throws Error(kUsage), and destruction does nothing.
//
// Cost of a job: a cache line or two that travel between cores, .3 to 1 us.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

namespace astraweave::threads {

class Team {
 public:
  static constexpr std::size_t kMostThreads = 256;
  static constexpr std::size_t kMostChunks = (std::size_t{1} << 14) - 1;

  // The caller included. Throws Error(kConfig) for 0 or more than kMostThreads, and
  // Error(kCapacity) where the system gives no more threads.
  explicit Team(std::size_t threads);
  ~Team();  // no step may be under way
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  std::size_t threads() const noexcept { return threads_; }

  class Step {
   public:
    explicit Step(Team& team);
    ~Step();
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

    std::size_t threads() const noexcept { return team_.threads_; }

    // work(chunk, thread) for every chunk of 0 .. count - 1, at most kMostChunks; `thread` is 0 for
    // the caller and smaller than threads(). Returns when all are done.
    template <class Work>
    void run(std::size_t count, const Work& work) noexcept {
      if (team_.threads_ == 1 || count < 2) {
        for (std::size_t chunk = 0; chunk < count; ++chunk) work(chunk, std::size_t{0});
        return;
      }
      team_.share(count, &call<Work>, &work);
    }

   private:
    template <class Work>
    static void call(const void* work, std::size_t chunk, std::size_t thread) noexcept {
      (*static_cast<const Work*>(work))(chunk, thread);
    }

    Team& team_;
    std::unique_lock<std::mutex> turn_;
  };

 private:
  using Call = void (*)(const void* work, std::size_t chunk, std::size_t thread) noexcept;
  struct Shared;

  void share(std::size_t count, Call call, const void* work) noexcept;
  bool in_child() const noexcept;

  std::size_t threads_;
  long process_;
  std::unique_ptr<Shared> shared_;
};

}  // namespace astraweave::threads
