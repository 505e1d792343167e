#include "index/hnsw_links.hpp"

#include <algorithm>

namespace astraweave::index {
namespace {

// Chosen ones that a candidate is held against at a time: the nearest, which come first, turn most
// candidates down.
constexpr std::size_t kTogether = 8;

}  // namespace

void sort_near(std::vector<Near>& candidates) {
  std::sort(candidates.begin(), candidates.end(), [](const Near& a, const Near& b) {
    return a.score > b.score || (a.score == b.score && a.slot < b.slot);
  });
}

void select_links(const Nodes& nodes, const Kernels& kernels, std::span<const Near> candidates,
                  std::size_t limit, WalkContext& context, std::vector<Slot>& chosen) {
  context.fit_step(std::max(limit, chosen.size()));
  for (std::size_t i = 0; i < chosen.size(); ++i) context.rows[i] = nodes.codes(chosen[i]);
  for (const Near& candidate : candidates) {
    if (chosen.size() >= limit) break;
    bool nearer = true;
    if (!chosen.empty()) {
      const Probe probe = nodes.probe(candidate.slot, context.other.data(), kernels);
      for (std::size_t first = 0; nearer && first < chosen.size(); first += kTogether) {
        const std::size_t n = std::min(kTogether, chosen.size() - first);
        kernels.walk(probe.numbers, probe.sum, context.rows.data() + first, n, nodes.stride(),
                     context.sums.data());
        for (std::size_t i = 0; i < n; ++i) {
          nearer = nearer && score(probe, context.sums[i], nodes.factors(chosen[first + i])) <=
                                 candidate.score;
        }
      }
    }
    if (!nearer) continue;
    context.rows[chosen.size()] = nodes.codes(candidate.slot);
    chosen.push_back(candidate.slot);
  }
}

}  // namespace astraweave::index
