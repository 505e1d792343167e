// How a cache is written and read; the format stands in format.md.
#include <cstring>
#include <unordered_set>

#include "cache/prompt_cache.hpp"
#include "error.hpp"
#include "io/crc32c.hpp"
#include "io/file.hpp"
#include "tokens/unicode.hpp"

namespace astraweave::cache {
namespace {

constexpr std::string_view kMagic = "AWPROMPT";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kFixedHeader = 16;
constexpr std::size_t kHeader = 24;
constexpr std::size_t kEntryHeader = 24;
constexpr std::size_t kFooter = 4;

template <class T>
void append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

template <class T>
T read_at(std::string_view bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

[[noreturn]] void corrupt(const std::string& why) {
  throw Error(ErrorCode::kCorruptData, "the prompt cache is damaged: " + why);
}

void append_entry(std::string& out, const Entry& entry, double now) {
  const std::string_view tag = entry.tag == nullptr ? std::string_view() : *entry.tag->name;
  append(out, entry.key_size);
  append(out, entry.value_size);
  append(out, static_cast<std::uint32_t>(tag.size()));
  append(out, static_cast<std::uint32_t>(entry.text ? 1 : 0));
  append(out, entry.expires == kForever ? kForever : entry.expires - now);
  out += entry.key();
  out += entry.value();
  out += tag;
}

std::uint64_t read_header(std::string_view bytes) {
  if (bytes.size() < kFixedHeader) corrupt("it ends inside its header");
  if (bytes.substr(0, kMagic.size()) != kMagic) corrupt("it does not begin like one");
  if (read_at<std::uint32_t>(bytes, 12) != io::crc32c(bytes.data(), 12)) {
    corrupt("the checksum of its header is wrong");
  }
  const auto version = read_at<std::uint32_t>(bytes, 8);
  if (version > kVersion) {
    throw Error(ErrorCode::kFormatVersion, "the prompt cache has format " +
                                               std::to_string(version) +
                                               ", this astraweave reads up to " +
                                               std::to_string(kVersion) + "; update astraweave");
  }
  if (version < 1 || bytes.size() < kHeader + kFooter) corrupt("it ends inside its header");
  const std::size_t body = bytes.size() - kFooter;
  if (read_at<std::uint32_t>(bytes, body) != io::crc32c(bytes.data(), body)) {
    corrupt("its checksum is wrong, or its end is missing");
  }
  return read_at<std::uint64_t>(bytes, 16);
}

// `rest` begins at an entry and is left after it.
NewEntry read_entry(std::string_view& rest, double now) {
  if (rest.size() < kEntryHeader) corrupt("an entry ends early");
  const std::uint64_t key_size = read_at<std::uint32_t>(rest, 0);
  const std::uint64_t value_size = read_at<std::uint32_t>(rest, 4);
  const std::uint64_t tag_size = read_at<std::uint32_t>(rest, 8);
  const auto kind = read_at<std::uint32_t>(rest, 12);
  const auto left = read_at<double>(rest, 16);
  if (kind > 1) corrupt("an answer is of an unknown kind");
  if (!(left > 0)) corrupt("an entry had expired before it was written");
  rest.remove_prefix(kEntryHeader);
  if (key_size + value_size + tag_size > rest.size()) corrupt("an entry ends early");
  NewEntry entry;
  entry.key = rest.substr(0, key_size);
  entry.value = rest.substr(key_size, value_size);
  entry.tag = rest.substr(key_size + value_size, tag_size);
  entry.text = kind == 1;
  if (entry.text && !tokens::is_valid_utf8(entry.value)) corrupt("a text is no UTF-8");
  entry.born = now;
  entry.expires = now + left;
  rest.remove_prefix(key_size + value_size + tag_size);
  return entry;
}

std::vector<NewEntry> read_entries(std::string_view bytes, double now) {
  const std::uint64_t count = read_header(bytes);
  std::string_view rest = bytes.substr(kHeader, bytes.size() - kHeader - kFooter);
  if (count > rest.size() / kEntryHeader) corrupt("its size is wrong");
  std::vector<NewEntry> entries;
  entries.reserve(static_cast<std::size_t>(count));
  std::unordered_set<std::string_view> keys;
  for (std::uint64_t i = 0; i < count; ++i) {
    entries.push_back(read_entry(rest, now));
    if (!keys.insert(entries.back().key).second) corrupt("a prompt comes twice");
  }
  if (!rest.empty()) corrupt("its size is wrong");
  return entries;
}

}  // namespace

std::string PromptCache::to_bytes(double now) const {
  std::string out(kMagic);
  append(out, kVersion);
  append(out, io::crc32c(out.data(), out.size()));
  append(out, std::uint64_t{0});
  std::uint64_t count = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard guard(shard->lock());
    for (const Entry* entry : shard->in_order()) {
      if (entry->expired(now)) continue;
      append_entry(out, *entry, now);
      ++count;
    }
  }
  std::memcpy(out.data() + kFixedHeader, &count, sizeof count);
  append(out, io::crc32c(out.data(), out.size()));
  return out;
}

bool PromptCache::load_bytes(std::string_view bytes, double now) {
  const std::vector<NewEntry> entries = read_entries(bytes, now);
  std::size_t first = entries.size();
  for (std::size_t used = 0; first > 0; --first) {
    used += cost(entries[first - 1].key.size(), entries[first - 1].value.size());
    if (used > max_bytes_) break;
  }
  clear();
  bool timed = false;
  for (; first < entries.size(); ++first) {
    put(entries[first]);
    timed = timed || entries[first].expires != kForever;
  }
  return timed;
}

void PromptCache::save(const std::filesystem::path& path, double now) const {
  io::replace_file(path, to_bytes(now));
}

bool PromptCache::load(const std::filesystem::path& path, double now) {
  const std::string bytes = io::read_file(path);
  try {
    return load_bytes(bytes, now);
  } catch (const Error& error) {
    const std::u8string name = path.u8string();
    throw Error(error.code(), "'" + std::string(name.begin(), name.end()) + "': " + error.what());
  }
}

}  // namespace astraweave::cache
