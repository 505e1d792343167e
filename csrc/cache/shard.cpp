#include "cache/shard.hpp"

#include <algorithm>
#include <utility>

namespace astraweave::cache {
namespace {

constexpr std::size_t kFirstCells = 16;
constexpr std::size_t kFirstSketch = 1024;
// Of the main part, four fifths are protected.
constexpr std::size_t kProtectedFifths = 4;

}  // namespace

Shard::Shard(std::size_t max_bytes, Admission admission)
    : cells_(kFirstCells), max_bytes_(max_bytes) {
  if (admission == Admission::kTinyLfu) sketch_.emplace(kFirstSketch);
}

Shard::~Shard() {
  Dead dead;
  clear(dead);
}

Entry* Shard::find(std::uint64_t hash, std::string_view key) const noexcept {
  for (std::size_t at = home(hash); cells_[at].entry != nullptr;
       at = (at + 1) & (cells_.size() - 1)) {
    if (cells_[at].hash == hash && cells_[at].entry->key() == key) return cells_[at].entry;
  }
  return nullptr;
}

void Shard::place(Entry* entry) noexcept {
  std::size_t at = home(entry->hash);
  while (cells_[at].entry != nullptr) at = (at + 1) & (cells_.size() - 1);
  cells_[at] = {entry->hash, entry};
}

// Later cells of the same run move up, so that no mark of a former entry is needed.
void Shard::vacate(const Entry* entry) noexcept {
  const std::size_t mask = cells_.size() - 1;
  std::size_t hole = home(entry->hash);
  while (cells_[hole].entry != entry) hole = (hole + 1) & mask;
  for (std::size_t at = (hole + 1) & mask; cells_[at].entry != nullptr; at = (at + 1) & mask) {
    const std::size_t from_home = (at - home(cells_[at].hash)) & mask;
    if (from_home >= ((at - hole) & mask)) {
      cells_[hole] = cells_[at];
      hole = at;
    }
  }
  cells_[hole].entry = nullptr;
}

void Shard::reserve_one() {
  for (Recency& part : parts_) {
    if (sketch_ || &part == &parts_[0]) part.reserve(entries_ + 1);
  }
  if (2 * (entries_ + 1) <= cells_.size()) return;
  std::vector<Cell> grown(2 * cells_.size());
  if (sketch_ && sketch_->entries() < grown.size() / 2) sketch_ = FrequencySketch(grown.size() / 2);
  cells_.swap(grown);
  for (const Cell& cell : grown) {
    if (cell.entry != nullptr) place(cell.entry);
  }
}

void Shard::move_to(Entry* entry, Segment segment) noexcept {
  part(entry->segment).remove(entry);
  entry->segment = segment;
  part(segment).push(entry);
}

void Shard::touch(Entry* entry) noexcept {
  entry->stamp = ++clock_;
  if (!sketch_) return;
  sketch_->record(entry->hash);
  if (entry->segment != Segment::kProbation) return;
  move_to(entry, Segment::kProtected);
  Recency& kept = part(Segment::kProtected);
  while (kept.bytes() > main_bytes() / 5 * kProtectedFifths) {
    Entry* demoted = kept.oldest();
    demoted->stamp = ++clock_;
    move_to(demoted, Segment::kProbation);
  }
}

const Entry* Shard::get(std::uint64_t hash, std::string_view key, double now, Dead& dead) noexcept {
  Entry* entry = find(hash, key);
  if (entry != nullptr && entry->expired(now)) {
    drop(entry, dead);
    ++stats_.expired;
    entry = nullptr;
  }
  if (entry == nullptr) {
    ++stats_.misses;
    return nullptr;
  }
  ++stats_.hits;
  touch(entry);
  return entry;
}

void Shard::hang(Entry* entry, TagHead* head) noexcept {
  entry->tag = head;
  entry->tag_prev = nullptr;
  entry->tag_next = head->first;
  if (head->first != nullptr) head->first->tag_prev = entry;
  head->first = entry;
}

bool Shard::put(Entry* entry, std::string_view tag, Dead& dead) {
  // What may throw comes first.
  TagHead* head = nullptr;
  try {
    reserve_one();
    if (!tag.empty()) {
      const auto [found, added] = tags_.try_emplace(std::string(tag));
      if (added) found->second.name = &found->first;
      head = &found->second;
    }
  } catch (...) {
    dead.push(entry);
    throw;
  }
  if (head != nullptr) hang(entry, head);
  if (sketch_) sketch_->record(entry->hash);
  entry->segment = Segment::kWindow;
  if (Entry* old = find(entry->hash, entry->key())) {
    entry->segment = old->segment;
    drop(old, dead);
  }
  place(entry);
  ++entries_;
  entry->stamp = ++clock_;
  part(entry->segment).push(entry);
  const std::uint64_t hash = entry->hash;
  shrink(dead);
  // Dropped entries are still alive in `dead`, so their keys can be read.
  return find(hash, entry->key()) == entry;
}

void Shard::evict(Segment segment, Dead& dead) noexcept {
  drop(part(segment).oldest(), dead);
  ++stats_.evictions;
}

void Shard::shrink(Dead& dead) noexcept {
  if (sketch_) return shrink_window(dead);
  while (bytes() > max_bytes_) evict(Segment::kWindow, dead);
}

void Shard::shrink_window(Dead& dead) noexcept {
  Recency& window = part(Segment::kWindow);
  while (window.bytes() > max_bytes_ - main_bytes()) {
    Entry* candidate = window.oldest();
    if (make_room(candidate, dead)) {
      candidate->stamp = ++clock_;
      move_to(candidate, Segment::kProbation);
    } else {
      drop(candidate, dead);
      ++stats_.rejected;
    }
  }
  // A longer answer under an old key can have made the main part grow.
  while (bytes() > max_bytes_) {
    evict(part(Segment::kProbation).bytes() > 0 ? Segment::kProbation : Segment::kProtected, dead);
  }
}

// Whether the main part has room for the candidate; drives out what is wanted less, if it is.
bool Shard::make_room(const Entry* candidate, Dead& dead) noexcept {
  const std::size_t wanted = cost(*candidate);
  if (wanted > main_bytes()) return false;
  const unsigned worth = sketch_->count(candidate->hash);
  unsigned lost = 0;
  Entry* victims = nullptr;  // out of their heaps, but not yet dropped
  const auto has_room = [&] {
    return part(Segment::kProbation).bytes() + part(Segment::kProtected).bytes() + wanted <=
           main_bytes();
  };
  while (!has_room() && lost < worth) {
    Entry* victim = part(Segment::kProbation).oldest();
    if (victim == nullptr) victim = part(Segment::kProtected).oldest();
    lost += sketch_->count(victim->hash);
    part(victim->segment).remove(victim);
    victim->next_dead = victims;
    victims = victim;
  }
  const bool admitted = has_room() && (victims == nullptr || lost < worth);
  while (victims != nullptr) {
    Entry* victim = std::exchange(victims, victims->next_dead);
    part(victim->segment).push(victim);
    if (!admitted) continue;
    drop(victim, dead);
    ++stats_.evictions;
  }
  return admitted;
}

void Shard::drop(Entry* entry, Dead& dead) noexcept {
  vacate(entry);
  --entries_;
  part(entry->segment).remove(entry);
  if (TagHead* head = entry->tag) {
    if (entry->tag_prev != nullptr) {
      entry->tag_prev->tag_next = entry->tag_next;
    } else {
      head->first = entry->tag_next;
    }
    if (entry->tag_next != nullptr) entry->tag_next->tag_prev = entry->tag_prev;
    if (head->first == nullptr) tags_.erase(tags_.find(*head->name));
  }
  dead.push(entry);
}

void Shard::reject(std::uint64_t hash, std::string_view key, Dead& dead) noexcept {
  if (Entry* old = find(hash, key)) drop(old, dead);
  ++stats_.rejected;
}

bool Shard::remove(std::uint64_t hash, std::string_view key, Dead& dead) noexcept {
  Entry* entry = find(hash, key);
  if (entry == nullptr) return false;
  drop(entry, dead);
  ++stats_.invalidated;
  return true;
}

std::size_t Shard::invalidate(std::string_view tag, Dead& dead) {
  const auto found = tags_.find(std::string(tag));
  if (found == tags_.end()) return 0;
  std::size_t dropped = 0;
  // The last drop takes the head away, too.
  for (Entry *entry = found->second.first, *next = nullptr; entry != nullptr; entry = next) {
    next = entry->tag_next;
    drop(entry, dead);
    ++dropped;
  }
  stats_.invalidated += dropped;
  return dropped;
}

std::size_t Shard::purge(double now, Dead& dead) {
  std::size_t dropped = 0;
  for (const Entry* entry : in_order()) {
    if (!entry->expired(now)) continue;
    drop(const_cast<Entry*>(entry), dead);
    ++dropped;
  }
  stats_.expired += dropped;
  return dropped;
}

void Shard::clear(Dead& dead) noexcept {
  for (const Cell& cell : cells_) {
    if (cell.entry != nullptr) dead.push(cell.entry);
  }
  std::fill(cells_.begin(), cells_.end(), Cell{});
  for (Recency& part : parts_) part.clear();
  tags_.clear();
  entries_ = 0;
}

std::vector<const Entry*> Shard::in_order() const {
  std::vector<const Entry*> entries;
  entries.reserve(entries_);
  for (const Recency& part : parts_) part.collect(entries);
  return entries;
}

Stats Shard::stats() const noexcept {
  Stats stats = stats_;
  stats.entries = entries_;
  stats.bytes = bytes();
  return stats;
}

}  // namespace astraweave::cache
