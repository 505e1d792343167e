#include "cache/entry.hpp"

#include <cstring>
#include <new>

namespace astraweave::cache {

Entry* make_entry(const NewEntry& from, std::uint64_t hash) {
  void* memory = ::operator new(sizeof(Entry) + from.key.size() + from.value.size());
  auto* entry = new (memory) Entry{};
  entry->hash = hash;
  entry->born = from.born;
  entry->expires = from.expires;
  entry->key_size = static_cast<std::uint32_t>(from.key.size());
  entry->value_size = static_cast<std::uint32_t>(from.value.size());
  entry->text = from.text;
  char* bytes = reinterpret_cast<char*>(entry + 1);
  if (!from.key.empty()) std::memcpy(bytes, from.key.data(), from.key.size());
  if (!from.value.empty()) {
    std::memcpy(bytes + from.key.size(), from.value.data(), from.value.size());
  }
  return entry;
}

void free_entries(Entry* chain) noexcept {
  while (chain != nullptr) {
    Entry* next = chain->next_dead;
    ::operator delete(static_cast<void*>(chain));
    chain = next;
  }
}

}  // namespace astraweave::cache
