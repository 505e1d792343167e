// Which neighbours a node is linked with.
#pragma once

#include <span>
#include <vector>

#include "index/hnsw_walk.hpp"

namespace astraweave::index {

// Nearest first; equal ones by slot.
void sort_near(std::vector<Near>& candidates);

// The heuristic of Malkov & Yashunin (algorithm 4): from the nearest on, whoever is nearer to the
// node than to all that were chosen before, so that links go out in all directions. Adds to those
// that `chosen` holds already, up to `limit`. `candidates` are sorted; their scores are those
// against the node. Uses context.other, rows and sums.
void select_links(const Nodes& nodes, const Kernels& kernels, std::span<const Near> candidates,
                  std::size_t limit, WalkContext& context, std::vector<Slot>& chosen);

}  // namespace astraweave::index
