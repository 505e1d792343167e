// How nodes leave the graph.
//
// A removed row is found no more, but its node is walked through until no link leads to it. A sweep
// goes over all slots, some with every change, and gives each node that has a link to a leaving one
// other links for it, out of those that the leaving one had (as FreshDiskANN does: Singh et al.
// 2021). Whoever leaves while a sweep is under way waits for the next. After a sweep its leaving
// nodes have no links to them, and their slots can be taken anew.
//
// The sweep is fast enough that at most some 5 % of the nodes are leaving ones.
#include <algorithm>
#include <mutex>

#include "index/hnsw_index.hpp"
#include "index/hnsw_links.hpp"

namespace astraweave::index {
namespace {

// Slots that the sweep goes over with one change, where all slots are in use; up to kMaxStep where
// most are free or leaving.
constexpr std::size_t kStep = 64;
constexpr std::size_t kMaxStep = 4096;

State leaving_state(std::uint32_t turn) {
  return turn == 0 ? State::kLeavingEven : State::kLeavingOdd;
}

struct Repaired {
  Slot slot;
  std::size_t level;
  std::vector<Slot> links;
};

}  // namespace

// Under the lock; its id leads to it no more. `leaving_` has room for it.
void HnswIndex::leave(Slot slot) noexcept {
  count_tags(nodes_.tags(slot), -1);
  nodes_.wipe(slot);
  nodes_.head(slot).state = leaving_state(turn_);
  leaving_[turn_].push_back(slot);
}

bool HnswIndex::remove(Id id) {
  const std::lock_guard<std::mutex> writing(writer_);
  const Slot slot = find(id);
  if (slot == kNoSlot) return false;
  leaving_[turn_].reserve(leaving_[turn_].size() + 1);
  {
    const std::unique_lock lock(mutex_);
    table_.erase(id, slot, [this](Slot at) { return id_of(at); });
    leave(slot);
    live_ -= live_ > 0 ? 1 : 0;
    if (live_ == 0) entry_ = kNoSlot;  // who comes next shall not look for links among the leaving
  }
  sweep();
  return true;
}

bool HnswIndex::leaves_for_good(Slot slot) const noexcept {
  return nodes_.head(slot).state == leaving_state(1 - turn_);
}

void HnswIndex::sweep() {
  if (leaving_[1 - turn_].empty()) {
    if (leaving_[turn_].empty()) return;
    const std::unique_lock lock(mutex_);
    turn_ = 1 - turn_;
    swept_ = 0;
  }
  const std::size_t count = nodes_.count();
  const std::size_t step =
      std::clamp(kStep * count / std::max<std::size_t>(live_, 1), kStep, kMaxStep);
  if (swept_ < count) {
    const auto from = static_cast<std::size_t>(swept_);
    repair(from, std::min(from + step, count));
  } else {
    free_left(step);
  }
}

// Whether a link of the node leads to one that leaves for good. `links` are then those that stay
// and others in place of the rest.
bool HnswIndex::repair_links(Slot slot, std::size_t level, WalkContext& context,
                             std::vector<Slot>& links) const {
  context.seen.clear();
  context.seen.add(slot);
  context.list.clear();
  links.clear();
  std::size_t before = 0;
  for (const Slot link : nodes_.links(slot, level)) {
    if (link >= nodes_.count()) break;
    if (!context.seen.add(link)) continue;
    ++before;
    if (!leaves_for_good(link)) {
      links.push_back(link);
      continue;
    }
    for (const Slot further : nodes_.links(link, level)) {
      if (further >= nodes_.count()) break;
      if (nodes_.live(further) && nodes_.head(further).level >= level) {
        context.list.push_back(further);
      }
    }
  }
  if (links.size() == before) return false;
  if (!nodes_.live(slot)) return true;
  std::erase_if(context.list, [&](Slot one) { return !context.seen.add(one); });
  const Probe probe = nodes_.probe(slot, context.numbers.data(), kernels_);
  context.candidates.clear();
  score_all(nodes_, kernels_, probe, context.list, context);
  sort_near(context.candidates);
  select_links(nodes_, kernels_, context.candidates, before, context, links);
  // As many as there were: with fewer and fewer links, recall would go down turn by turn.
  for (const Near& one : context.candidates) {
    if (links.size() >= before) break;
    if (std::find(links.begin(), links.end(), one.slot) == links.end()) links.push_back(one.slot);
  }
  return true;
}

void HnswIndex::repair(std::size_t from, std::size_t to) {
  std::vector<Repaired> repaired;
  std::vector<Slot> links;
  const WalkContexts::Lease context(contexts_, nodes_);
  for (std::size_t at = from; at < to; ++at) {
    const auto slot = static_cast<Slot>(at);
    const Head& head = nodes_.head(slot);
    if (head.state == State::kFree) continue;
    for (std::size_t level = 0; level <= std::min(head.level, Nodes::kMaxLevel); ++level) {
      if (repair_links(slot, level, *context, links)) repaired.push_back({slot, level, links});
    }
  }
  const std::unique_lock lock(mutex_);
  for (const Repaired& node : repaired) nodes_.set_links(node.slot, node.level, node.links);
  swept_ = to;
}

// The slots that a finished sweep has left without links to them.
void HnswIndex::free_left(std::size_t most) noexcept {
  std::vector<Slot>& leaving = leaving_[1 - turn_];
  if (entry_ != kNoSlot && !nodes_.live(entry_)) replace_entry();
  const std::unique_lock lock(mutex_);
  for (; most > 0 && !leaving.empty(); --most) {
    const Slot slot = leaving.back();
    leaving.pop_back();
    if (slot >= nodes_.count() || !leaves_for_good(slot)) continue;  // a damaged file's
    const Head& head = nodes_.head(slot);
    nodes_.give_back({slot, head.upper, head.level});
  }
}

void HnswIndex::replace_entry() noexcept {
  Slot best = kNoSlot;
  for (Slot slot = 0; slot < nodes_.count(); ++slot) {
    if (nodes_.live(slot) &&
        (best == kNoSlot || nodes_.head(slot).level > nodes_.head(best).level)) {
      best = slot;
    }
  }
  const std::unique_lock lock(mutex_);
  entry_ = best;
}

}  // namespace astraweave::index
