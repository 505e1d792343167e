// How vectors get into the graph: some at a time. Their links are chosen from what a walk through
// the graph as it is finds and from one another; then the nodes that they chose choose anew, each
// once. Both steps only read, so they take any number of threads and give the same for all; what
// they found is stored in one go.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <tuple>
#include <unordered_set>

#include "error.hpp"
#include "index/hnsw_index.hpp"
#include "index/hnsw_links.hpp"
#include "index/in_threads.hpp"

namespace astraweave::index {
namespace {

// So many at a time: enough for threads to share, few enough that storing them keeps readers out
// for a fraction of a millisecond.
constexpr std::size_t kTogether = 64;

// Threads take the next piece when they are done with one, since pieces differ.
template <class Work>
void share(std::size_t n, std::size_t threads, const Work& work) {
  std::atomic<std::size_t> next{0};
  in_threads(std::min(n, threads), threads, [&](std::size_t, std::size_t) {
    for (std::size_t i = next++; i < n; i = next++) work(i);
  });
}

}  // namespace

// A vector on its way into the graph.
struct HnswIndex::Planned {
  Id id;
  Tags tags;
  const float* vector;
  Slot replaces = kNoSlot;
  Nodes::Place place{kNoSlot, kNoSlot, 0};
  std::vector<std::vector<Slot>>
      links{};  // by level; NOLINT(readability-redundant-member-init): GCC warns without
};

struct HnswIndex::Plan {
  struct Edge {
    std::size_t level;
    Slot to;
    Slot from;  // the new one
  };
  std::vector<Planned> items;
  std::vector<Edge> edges;               // by level and target
  std::vector<std::size_t> groups;       // where in `edges` each target begins, and the end
  std::vector<std::vector<Slot>> links;  // of each group's target, where it is no new one

  Planned* item(Slot slot) {
    for (Planned& one : items) {
      if (one.place.slot == slot) return &one;
    }
    return nullptr;
  }
  void group_edges();
};

void HnswIndex::Plan::group_edges() {
  for (const Planned& item : items) {
    for (std::size_t level = 0; level < item.links.size(); ++level) {
      for (const Slot to : item.links[level]) edges.push_back({level, to, item.place.slot});
    }
  }
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) {
    return std::tie(a.level, a.to, a.from) < std::tie(b.level, b.to, b.from);
  });
  for (std::size_t i = 0; i < edges.size(); ++i) {
    if (i == 0 || edges[i].level != edges[i - 1].level || edges[i].to != edges[i - 1].to) {
      groups.push_back(i);
    }
  }
  links.resize(groups.size());
  groups.push_back(edges.size());
}

void HnswIndex::plan_links(Plan& plan, std::size_t index, WalkContext& context) const {
  Planned& item = plan.items[index];
  const std::size_t top = item.place.level;
  item.links.resize(top + 1);
  const Probe probe = nodes_.probe(item.place.slot, context.numbers.data(), kernels_);

  context.candidates.clear();
  context.list.clear();
  for (const Planned& mate : plan.items) {
    if (&mate != &item) context.list.push_back(mate.place.slot);
  }
  score_all(nodes_, kernels_, probe, context.list, context);
  std::vector<std::pair<Near, std::size_t>> mates;  // with their levels
  for (std::size_t i = 0; i < context.candidates.size(); ++i) {
    mates.emplace_back(context.candidates[i], plan.items[i < index ? i : i + 1].place.level);
  }

  Near start{0, entry_};
  const std::size_t highest = entry_ == kNoSlot ? 0 : nodes_.head(entry_).level;
  if (entry_ != kNoSlot) {
    start.score = score_one(nodes_, kernels_, probe, entry_);
    start = descend(nodes_, kernels_, probe, start, highest, top, context);
  }
  for (std::size_t level = top + 1; level-- > 0;) {
    std::vector<Near>& candidates = context.candidates;
    candidates.clear();
    if (entry_ != kNoSlot && level <= highest) {
      walk(nodes_, kernels_, probe, start, level, options_.ef_construction, context);
      start = context.pool[0];
      for (std::size_t i = 0; i < context.pool.size(); ++i) {
        const Near one = context.pool[i];
        if (nodes_.live(one.slot) && one.slot != item.replaces) candidates.push_back(one);
      }
    }
    for (const auto& [mate, mate_level] : mates) {
      if (mate_level >= level) candidates.push_back(mate);
    }
    sort_near(candidates);
    if (candidates.size() > options_.ef_construction) candidates.resize(options_.ef_construction);
    select_links(nodes_, kernels_, candidates, options_.m, context, item.links[level]);
  }
}

void HnswIndex::plan_back_links(Plan& plan, std::size_t group, WalkContext& context) const {
  const Plan::Edge& first = plan.edges[plan.groups[group]];
  Planned* item = plan.item(first.to);
  std::vector<Slot>& links = item != nullptr ? item->links[first.level] : plan.links[group];
  if (item == nullptr) {
    for (const Slot link : nodes_.links(first.to, first.level)) {
      if (link >= nodes_.count()) break;
      links.push_back(link);
    }
  }
  for (std::size_t i = plan.groups[group]; i < plan.groups[group + 1]; ++i) {
    const Slot from = plan.edges[i].from;
    if (std::find(links.begin(), links.end(), from) == links.end()) links.push_back(from);
  }
  const std::size_t limit = nodes_.max_links(first.level);
  if (links.size() <= limit) return;
  const Probe probe = nodes_.probe(first.to, context.numbers.data(), kernels_);
  context.candidates.clear();
  score_all(nodes_, kernels_, probe, links, context);
  sort_near(context.candidates);
  links.clear();
  select_links(nodes_, kernels_, context.candidates, limit, context, links);
}

// Slots for all, or none and an exception.
void HnswIndex::take_places(Plan& plan) {
  const std::unique_lock lock(mutex_);
  std::size_t taken = 0;
  try {
    for (; taken < plan.items.size(); ++taken) {
      Planned& item = plan.items[taken];
      table_.reserve(item.id, [this](Slot slot) { return id_of(slot); });
      item.place = nodes_.take(level_of(item.id));
    }
    for (std::vector<Slot>& list : leaving_) list.reserve(list.size() + plan.items.size());
  } catch (...) {
    for (std::size_t i = 0; i < taken; ++i) nodes_.give_back(plan.items[i].place);
    throw;
  }
}

void HnswIndex::store(Plan& plan) noexcept {
  const std::unique_lock lock(mutex_);
  for (const Planned& item : plan.items) {
    const Slot slot = item.place.slot;
    nodes_.put_head(item.place, item.id, item.tags);
    count_tags(item.tags, 1);
    if (item.replaces == kNoSlot) {
      table_.insert(item.id, slot);
      ++live_;
    } else {
      table_.replace(item.id, item.replaces, slot);
      leave(item.replaces);
    }
    for (std::size_t level = 0; level < item.links.size(); ++level) {
      nodes_.set_links(slot, level, item.links[level]);
    }
    const bool alone = live_ == 1;  // then no link leads from a leaving entry to it
    if (entry_ == kNoSlot || alone || item.place.level > nodes_.head(entry_).level) entry_ = slot;
  }
  for (std::size_t group = 0; group < plan.links.size(); ++group) {
    const Plan::Edge& edge = plan.edges[plan.groups[group]];
    if (plan.item(edge.to) == nullptr) nodes_.set_links(edge.to, edge.level, plan.links[group]);
  }
}

void HnswIndex::put(Plan& plan, std::size_t threads) {
  take_places(plan);
  try {
    // No reader gets to these slots yet.
    for (const Planned& item : plan.items) nodes_.write_vector(item.place.slot, item.vector);
    share(plan.items.size(), threads, [&](std::size_t i) {
      const WalkContexts::Lease context(contexts_, nodes_);
      plan_links(plan, i, *context);
    });
    plan.group_edges();
    share(plan.links.size(), threads, [&](std::size_t group) {
      const WalkContexts::Lease context(contexts_, nodes_);
      plan_back_links(plan, group, *context);
    });
  } catch (...) {
    const std::unique_lock lock(mutex_);
    for (const Planned& item : plan.items) nodes_.give_back(item.place);
    throw;
  }
  store(plan);
}

void HnswIndex::insert_some(std::span<const Id> ids, const float* vectors,
                            std::span<const Tags> tags, std::size_t threads) {
  std::vector<float> prepared(ids.size() * dims());
  Plan plan;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    float* vector = prepared.data() + i * dims();
    prepare(vectors + i * dims(), vector);
    plan.items.push_back({ids[i], tags.empty() ? Tags{0} : tags[i], vector});
  }
  put(plan, threads);
}

void HnswIndex::insert(std::span<const Id> ids, const float* vectors, std::span<const Tags> tags,
                       std::size_t threads) {
  if (threads < 1 || threads > kMaxThreads) {
    throw Error(ErrorCode::kInput, "threads must be 1 to " + std::to_string(kMaxThreads) +
                                       ", not " + std::to_string(threads));
  }
  check_new(ids, vectors);
  const std::lock_guard<std::mutex> writing(writer_);
  std::unordered_set<Id> seen;
  for (const Id id : ids) {
    if (find(id) != kNoSlot || (ids.size() > 1 && !seen.insert(id).second)) {
      throw Error(ErrorCode::kInput, "id " + std::to_string(id) +
                                         " is there already, or comes twice; update replaces a "
                                         "vector");
    }
  }
  for (std::size_t first = 0; first < ids.size(); first += kTogether) {
    const std::size_t n = std::min(kTogether, ids.size() - first);
    insert_some(ids.subspan(first, n), vectors + first * dims(),
                tags.empty() ? tags : tags.subspan(first, n), threads);
    sweep();
  }
}

void HnswIndex::update(Id id, const float* vector, std::optional<Tags> tags) {
  check_new({&id, 1}, vector);
  const std::lock_guard<std::mutex> writing(writer_);
  const Slot slot = slot_of(id);
  std::vector<float> prepared(dims());
  prepare(vector, prepared.data());
  Plan plan;
  plan.items.push_back({id, tags ? *tags : nodes_.tags(slot), prepared.data(), slot});
  put(plan, 1);
  sweep();
}

}  // namespace astraweave::index
