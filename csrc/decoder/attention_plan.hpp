// Who attends to what in one step, and in which portions: the plan behind Attention.
//
// A unit is up to 16 consecutive new tokens of one sequence; with the query heads of one KV head
// they are its rows. A task lets some units attend to the same spans of pages with one KV head. An
// item is a run of tasks, about as dear as the next item.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "decoder/kv_pages.hpp"

namespace astraweave::decoder {

struct AttentionPlan {
  static constexpr std::size_t kUnitTokens = 16;

  struct Part {
    KvPages::Sequence sequence;
    std::size_t first;  // position
    std::size_t count;
  };

  struct Unit {
    std::span<const KvPages::Page> pages;
    std::size_t position;  // of the first token
    std::size_t row;       // of the first token, in the batch
    std::size_t tokens;
    std::size_t spans;         // that the last token sees
    std::size_t shared = 0;    // leading spans that it attends to together with others
    std::size_t partials = 0;  // where its partial results begin, counted in results
    std::uint32_t tasks = 0;   // a KV head; more than one leave partial results to be folded
  };

  struct Task {
    std::size_t head;          // KV head
    std::size_t first, last;   // spans
    std::size_t units, count;  // in members
    std::size_t cost;
  };

  // From the parts of a batch, checked already. group: query heads to a KV head.
  void make(const KvPages& pages, std::span<const Part> parts, std::size_t group,
            std::size_t threads);

  std::vector<Unit> units;
  std::vector<std::size_t> members;  // units of tasks
  std::vector<Task> tasks;
  std::vector<std::size_t> items;  // where each begins in tasks, and their end
  std::size_t partials = 0;        // results to hold at once

 private:
  void make_units(const KvPages& pages, std::span<const Part> parts);
  void find_shared(std::size_t group, std::size_t heads);
  void add_shared(std::span<const std::size_t> run, std::size_t span, std::size_t group,
                  std::size_t heads);
  void add_alone(std::size_t group, std::size_t heads, std::size_t threads);
  void add(const Task& task, std::size_t heads);
  void bundle(std::size_t threads);
};

}  // namespace astraweave::decoder
