// One prompt and its answer, in one block of memory: the entry, then the key's bytes, then the
// value's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace astraweave::cache {

constexpr double kForever = std::numeric_limits<double>::infinity();

struct Entry;

// What the entries of one tag hang on.
struct TagHead {
  const std::string* name = nullptr;
  Entry* first = nullptr;
};

enum class Segment : std::uint8_t { kWindow, kProbation, kProtected };

// What every hit writes stands first, and more than a cache line before what every look-up reads.
struct Entry {
  std::uint64_t stamp;  // of the last use
  std::size_t place;    // in its heap; see recency.hpp
  Entry* next_dead;
  TagHead* tag;
  Entry* tag_prev;
  Entry* tag_next;
  std::uint64_t hash;
  double born;     // seconds
  double expires;  // kForever: never
  std::uint32_t key_size;
  std::uint32_t value_size;
  Segment segment;
  bool text;  // the value was a str

  std::string_view key() const noexcept { return {bytes(), key_size}; }
  std::string_view value() const noexcept { return {bytes() + key_size, value_size}; }

  // A clock that was set back before the birth of an entry with an end has expired it, too: the
  // game was loaded, and the entry comes from a future that may never be.
  bool expired(double now) const noexcept {
    return expires != kForever && (now >= expires || now < born);
  }

 private:
  const char* bytes() const noexcept { return reinterpret_cast<const char*>(this + 1); }
};

// What an entry costs beside its bytes: itself, its places in table and heap, the allocator's
// share.
constexpr std::size_t kEntryOverhead = 160;
static_assert(sizeof(Entry) + 2 * 16 + 16 + 16 <= kEntryOverhead);

inline std::size_t cost(std::size_t key_size, std::size_t value_size) noexcept {
  return key_size + value_size + kEntryOverhead;
}
inline std::size_t cost(const Entry& entry) noexcept {
  return cost(entry.key_size, entry.value_size);
}

struct NewEntry {
  std::string_view key;
  std::string_view value;
  bool text = false;
  double born = 0;
  double expires = kForever;
  std::string_view tag = {};
};

// Frees a chain of entries that hang together by `next_dead`.
void free_entries(Entry* chain) noexcept;
Entry* make_entry(const NewEntry& from, std::uint64_t hash);

// Owns entries that have left a shard, so that they are freed after its lock.
class Dead {
 public:
  Dead() = default;
  Dead(Dead&& other) noexcept : chain_(std::exchange(other.chain_, nullptr)) {}
  Dead& operator=(Dead&&) = delete;
  ~Dead() { free_entries(chain_); }
  void push(Entry* entry) noexcept {
    entry->next_dead = chain_;
    chain_ = entry;
  }

 private:
  Entry* chain_ = nullptr;
};

}  // namespace astraweave::cache
