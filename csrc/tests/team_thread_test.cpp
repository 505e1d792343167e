// Jobs of a team, under the thread sanitizer too: every chunk once, seen by the next job.
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "error.hpp"
#include "tests/check.hpp"
#include "threads/team.hpp"

#if defined(__linux__)
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace astraweave::tests {
namespace {

using threads::Team;

// Each job reads what the one before wrote, at other places: plain numbers, so a race would show.
void jobs_see_each_other(Team& team, std::size_t chunks, int jobs) {
  std::vector<std::uint64_t> from(chunks, 1), to(chunks);
  Team::Step step(team);
  for (int job = 0; job < jobs; ++job) {
    step.run(chunks, [&](std::size_t chunk, std::size_t thread) {
      CHECK(thread < team.threads());
      to[chunk] += from[chunks - 1 - chunk] + chunk;
    });
    for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
      CHECK(to[chunk] == 1 + chunk);
      to[chunk] = 0;
    }
  }
}

void every_size_of_team() {
  for (const std::size_t threads : {1, 2, 3, 7}) {
    Team team(threads);
    CHECK(team.threads() == threads);
    for (const std::size_t chunks : {0, 1, 2, 3, 50, 1000}) jobs_see_each_other(team, chunks, 20);
  }
}

// Steps of several threads take turns.
void steps_take_turns() {
  Team team(3);
  std::vector<std::thread> callers;
  for (std::size_t i = 0; i < 3; ++i) {
    callers.emplace_back([&team, i] {
      for (int turn = 0; turn < 50; ++turn) jobs_see_each_other(team, 2 + i * 5, 5);
    });
  }
  for (std::thread& caller : callers) caller.join();
}

void teams_come_and_go() {
  for (int turn = 0; turn < 50; ++turn) {
    Team team(4);
    if (turn % 2 == 0) jobs_see_each_other(team, 9, 1);
  }
}

void impossible_teams_are_refused() {
  CHECK_THROWS(Team(0), kConfig);
  CHECK_THROWS(Team(Team::kMostThreads + 1), kConfig);
}

// The child may not begin a step, and is not held up when it ends.
void a_fork_is_told() {
#if defined(__linux__) && !defined(__SANITIZE_THREAD__)
  for (const std::size_t threads : {1, 3}) {
    auto team = std::make_unique<Team>(threads);
    jobs_see_each_other(*team, 9, 1);
    const pid_t child = ::fork();
    if (child == 0) {
      bool refused = false;
      try {
        const Team::Step step(*team);
      } catch (const Error& error) {
        refused = error.code() == ErrorCode::kUsage;
      }
      team.reset();
      ::_exit(refused == (threads > 1) ? 0 : 1);
    }
    int status = -1;
    CHECK(::waitpid(child, &status, 0) == child && status == 0);
    jobs_see_each_other(*team, 9, 1);
  }
#endif
}

}  // namespace

void run_team_thread_tests() {
  every_size_of_team();
  steps_take_turns();
  teams_come_and_go();
  impossible_teams_are_refused();
  a_fork_is_told();
}

}  // namespace astraweave::tests
