#include "decoder/attention_plan.hpp"

#include <algorithm>
#include <numeric>

namespace astraweave::decoder {
namespace {

using Unit = AttentionPlan::Unit;

constexpr std::size_t kTogether = 16;  // units of a task: rows enough for a kernel's pace

// About the cycles of a wide kernel: each row multiplies, all of them share loads and conversions.
std::size_t cost_of(std::size_t rows, std::size_t pages) { return pages * (64 + 64 * rows); }

// Pages are shared from the front.
std::size_t common_spans(const Unit& a, const Unit& b) {
  const auto end = std::mismatch(a.pages.begin(), a.pages.end(), b.pages.begin(), b.pages.end());
  return static_cast<std::size_t>(end.first - a.pages.begin()) / simd::kSpanPages;
}

std::size_t pages_within(const Unit& unit, std::size_t first, std::size_t last) {
  const std::size_t seen = unit.position + unit.tokens;
  const std::size_t pages = (seen + simd::kPageTokens - 1) / simd::kPageTokens;
  return std::min(pages, last * simd::kSpanPages) - first * simd::kSpanPages;
}

}  // namespace

void AttentionPlan::make(const KvPages& pages, std::span<const Part> parts, std::size_t group,
                         std::size_t threads) {
  const std::size_t heads = pages.shape().kv_heads;
  units.clear();
  members.clear();
  tasks.clear();
  make_units(pages, parts);
  find_shared(group, heads);
  add_alone(group, heads, threads);
  partials = 0;
  for (Unit& unit : units) {
    unit.partials = partials;
    if (unit.tasks > 1) partials += heads * group * unit.tokens * unit.spans;
  }
  bundle(threads);
}

void AttentionPlan::make_units(const KvPages& pages, std::span<const Part> parts) {
  std::size_t row = 0;
  for (const Part& part : parts) {
    for (std::size_t done = 0; done < part.count; done += kUnitTokens) {
      const std::size_t tokens = std::min(kUnitTokens, part.count - done);
      const std::size_t seen = part.first + done + tokens;
      units.push_back({pages.pages(part.sequence), part.first + done, row + done, tokens,
                       (seen + simd::kSpanTokens - 1) / simd::kSpanTokens});
    }
    row += part.count;
  }
}

// Brings units with the same leading pages side by side: those that share a span are a run then.
// Units of one prompt's piece would share too, but have rows enough each.
void AttentionPlan::find_shared(std::size_t group, std::size_t heads) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (units[i].tokens < kUnitTokens / 2) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::lexicographical_compare(units[a].pages.begin(), units[a].pages.end(),
                                        units[b].pages.begin(), units[b].pages.end());
  });
  std::vector<std::size_t> common(order.size() + 1, 0);  // with the one before
  for (std::size_t i = 1; i < order.size(); ++i) {
    const Unit& unit = units[order[i]];
    // The last span holds rows of its own.
    common[i] = std::min(
        {common_spans(units[order[i - 1]], unit), unit.spans - 1, units[order[i - 1]].spans - 1});
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    units[order[i]].shared = std::max(common[i], common[i + 1]);
  }
  const std::size_t deepest = *std::max_element(common.begin(), common.end());
  for (std::size_t span = 0; span < deepest; ++span) {
    for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
      for (end = begin + 1; end < order.size() && common[end] > span; ++end) {
      }
      if (end - begin > 1) {
        add_shared(std::span(order).subspan(begin, end - begin), span, group, heads);
      }
    }
  }
}

void AttentionPlan::add_shared(std::span<const std::size_t> run, std::size_t span,
                               std::size_t group, std::size_t heads) {
  for (std::size_t done = 0; done < run.size(); done += kTogether) {
    const auto some = run.subspan(done, std::min(kTogether, run.size() - done));
    std::size_t tokens = 0;
    for (const std::size_t unit : some) tokens += units[unit].tokens;
    const std::size_t begin = members.size();
    members.insert(members.end(), some.begin(), some.end());
    add({0, span, span + 1, begin, some.size(), cost_of(tokens * group, simd::kSpanPages)}, heads);
  }
}

// The spans that a unit has for itself: in one go, unless that is too much for one thread while
// others have nothing to do.
void AttentionPlan::add_alone(std::size_t group, std::size_t heads, std::size_t threads) {
  std::size_t total = 0;
  for (const Task& task : tasks) total += task.cost;
  const auto cost = [&](const Unit& unit, std::size_t first, std::size_t last) {
    return cost_of(unit.tokens * group, pages_within(unit, first, last));
  };
  for (const Unit& unit : units) total += heads * cost(unit, unit.shared, unit.spans);
  const std::size_t most = threads > 1 ? total / (4 * threads) + 1 : total + 1;
  for (std::size_t i = 0; i < units.size(); ++i) {
    const Unit unit = units[i];
    const std::size_t spans = unit.spans - unit.shared;
    if (spans == 0) continue;
    const std::size_t portions =
        std::clamp<std::size_t>(cost(unit, unit.shared, unit.spans) / most + 1, 1, spans);
    const std::size_t begin = members.size();
    members.push_back(i);
    for (std::size_t p = 0; p < portions; ++p) {
      const std::size_t first = unit.shared + spans * p / portions;
      const std::size_t last = unit.shared + spans * (p + 1) / portions;
      add({0, first, last, begin, 1, cost(unit, first, last)}, heads);
    }
  }
}

// The same for every head.
void AttentionPlan::add(const Task& task, std::size_t heads) {
  for (std::size_t i = 0; i < task.count; ++i) ++units[members[task.units + i]].tasks;
  for (std::size_t head = 0; head < heads; ++head) {
    tasks.push_back(task);
    tasks.back().head = head;
  }
}

// Dear tasks first, so that the last thread is not left alone for long; small ones by the handful.
void AttentionPlan::bundle(std::size_t threads) {
  std::stable_sort(tasks.begin(), tasks.end(),
                   [](const Task& a, const Task& b) { return a.cost > b.cost; });
  std::size_t total = 0;
  for (const Task& task : tasks) total += task.cost;
  const std::size_t enough = total / (8 * threads);
  items.assign(1, 0);
  std::size_t cost = 0;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    cost += tasks[i].cost;
    if (cost < enough && i + 1 < tasks.size()) continue;
    items.push_back(i + 1);
    cost = 0;
  }
}

}  // namespace astraweave::decoder
