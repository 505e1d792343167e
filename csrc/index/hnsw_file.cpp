// How a graph index is written and read; the format stands in format.md.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <shared_mutex>

#include "error.hpp"
#include "index/hnsw_index.hpp"
#include "io/crc32c.hpp"
#include "io/file.hpp"

namespace astraweave::index {
namespace {

constexpr std::string_view kMagic{"AWGRAPH\0", 8};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 4096;
constexpr std::size_t kAlignment = 64;

enum SectionName { kCodes, kFactors, kLinks, kHeads, kTags, kUpper, kRows, kTable, kEven, kOdd };
constexpr std::size_t kSections = 10;
constexpr const char* kSectionNames[kSections] = {"codes",        "factors",     "links", "heads",
                                                  "tags",         "upper links", "rows",  "table",
                                                  "leaving even", "leaving odd"};

struct Section {
  std::uint64_t offset;
  std::uint64_t bytes;
  std::uint32_t checksum;
  std::uint32_t unused;
};

struct Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t checksum_of_start;  // of the 12 bytes before
  std::uint64_t file_bytes;
  std::uint32_t metric, storage, dims, m, ef_construction, ef_search;
  std::uint64_t seed;
  std::uint64_t live, count, upper_count;
  std::uint32_t entry, free, turn, unused;
  std::uint64_t swept;
  std::uint32_t free_upper[16];
  std::uint64_t tag_rows[64];
  std::uint32_t shard_capacity[IdTable::kShards];
  std::uint32_t shard_used[IdTable::kShards];
  Section sections[kSections];
};
static_assert(sizeof(Header) <= kHeaderBytes - 4 && Nodes::kMaxLevel < 16);

[[noreturn]] void corrupt(const std::string& why) {
  throw Error(ErrorCode::kCorruptData, "the graph index is damaged: " + why);
}

void need(bool holds, const char* why) {
  if (!holds) corrupt(why);
}

// The first and the last checksum of the header, which stand for all of it.
void seal(std::string& page) {
  const std::uint32_t start = io::crc32c(page.data(), 12);
  std::memcpy(page.data() + 12, &start, 4);
  const std::uint32_t all = io::crc32c(page.data(), kHeaderBytes - 4);
  std::memcpy(page.data() + kHeaderBytes - 4, &all, 4);
}

Header read_header(std::string_view bytes) {
  Header header{};
  need(bytes.size() >= 16, "it ends inside its header");
  std::memcpy(&header, bytes.data(), 16);
  need(bytes.substr(0, kMagic.size()) == kMagic, "it does not begin like one");
  need(header.checksum_of_start == io::crc32c(bytes.data(), 12),
       "the checksum of its header is wrong");
  if (header.version > kVersion) {
    throw Error(ErrorCode::kFormatVersion, "the graph index has format " +
                                               std::to_string(header.version) +
                                               ", this astraweave reads up to " +
                                               std::to_string(kVersion) + "; update astraweave");
  }
  need(header.version == kVersion && bytes.size() >= kHeaderBytes, "it ends inside its header");
  std::uint32_t checksum = 0;
  std::memcpy(&checksum, bytes.data() + kHeaderBytes - 4, 4);
  need(checksum == io::crc32c(bytes.data(), kHeaderBytes - 4),
       "the checksum of its header is wrong");
  std::memcpy(&header, bytes.data(), sizeof header);
  need(header.file_bytes == bytes.size(), "its size is wrong");
  return header;
}

HnswOptions options_of(const Header& header) {
  need(header.metric <= static_cast<std::uint32_t>(Metric::kL2), "its metric is unknown");
  need(header.storage <= static_cast<std::uint32_t>(Storage::kInt8), "its storage is unknown");
  HnswOptions options;
  options.dims = header.dims;
  options.metric = static_cast<Metric>(header.metric);
  options.storage = static_cast<Storage>(header.storage);
  options.m = header.m;
  options.ef_construction = header.ef_construction;
  options.ef_search = header.ef_search;
  options.seed = header.seed;
  return options;
}

void check_checksums(std::string_view bytes) {
  const Header header = read_header(bytes);
  for (std::size_t i = 0; i < kSections; ++i) {
    const Section& section = header.sections[i];
    if (section.checksum != io::crc32c(bytes.data() + section.offset, section.bytes)) {
      corrupt(std::string("the checksum of its ") + kSectionNames[i] + " is wrong");
    }
  }
}

}  // namespace

// What reads and writes the inside of an index.
class GraphFile {
 public:
  // Pieces of memory that make up the file: `page` and the index's own, while nobody writes to it.
  static std::vector<std::string_view> parts(const HnswIndex& index, std::string& page);
  static std::unique_ptr<HnswIndex> open(std::unique_ptr<io::MappedFile> file);
  static void check_structure(const HnswIndex& index);

 private:
  static std::array<Segments*, 7> columns(Nodes& nodes) {
    return {&nodes.codes_, &nodes.factors_, &nodes.links_, &nodes.heads_,
            &nodes.tags_,  &nodes.upper_,   &nodes.rows_};
  }
  static Header header_of(const HnswIndex& index);
  static void adopt_table(HnswIndex& index, const Header& header);
  static void check_node(const HnswIndex& index, Slot slot);
};

Header GraphFile::header_of(const HnswIndex& index) {
  const Nodes& nodes = index.nodes_;
  const HnswOptions& options = index.options_;
  Header header{};
  kMagic.copy(header.magic, kMagic.size());
  header.version = kVersion;
  header.metric = static_cast<std::uint32_t>(options.metric);
  header.storage = static_cast<std::uint32_t>(options.storage);
  header.dims = static_cast<std::uint32_t>(options.dims);
  header.m = static_cast<std::uint32_t>(options.m);
  header.ef_construction = static_cast<std::uint32_t>(options.ef_construction);
  header.ef_search = static_cast<std::uint32_t>(options.ef_search);
  header.seed = options.seed;
  header.live = index.live_;
  header.count = nodes.count_;
  header.upper_count = nodes.upper_count_;
  header.entry = index.entry_;
  header.free = nodes.free_;
  header.turn = index.turn_;
  header.swept = index.swept_;
  std::copy(std::begin(nodes.free_upper_), std::end(nodes.free_upper_), header.free_upper);
  std::copy(std::begin(index.tag_rows_), std::end(index.tag_rows_), header.tag_rows);
  for (std::size_t i = 0; i < IdTable::kShards; ++i) {
    header.shard_capacity[i] = index.table_.shard(i).capacity;
    header.shard_used[i] = index.table_.shard(i).used;
  }
  return header;
}

std::vector<std::string_view> GraphFile::parts(const HnswIndex& index, std::string& page) {
  static const std::string fill(kAlignment, '\0');
  Header header = header_of(index);
  std::vector<std::string_view> parts{{}};
  std::uint64_t offset = kHeaderBytes;
  std::size_t section = 0;
  const auto add = [&](const std::vector<std::string_view>& pieces) {
    Section& entry = header.sections[section++];
    entry.offset = offset;
    for (const std::string_view piece : pieces) {
      entry.bytes += piece.size();
      entry.checksum = io::crc32c(piece.data(), piece.size(), entry.checksum);
      parts.push_back(piece);
    }
    const std::size_t rest = (kAlignment - entry.bytes % kAlignment) % kAlignment;
    parts.push_back(std::string_view(fill).substr(0, rest));
    offset += entry.bytes + rest;
  };
  auto& nodes = const_cast<Nodes&>(index.nodes_);  // read only
  for (const Segments* column : columns(nodes)) {
    const std::size_t records = column == &nodes.upper_ ? nodes.upper_count_ : nodes.count_;
    std::vector<std::string_view> pieces;
    for (std::size_t first = 0; column->record() > 0 && first < records;
         first += Segments::kPerSegment) {
      const std::size_t n = std::min(Segments::kPerSegment, records - first);
      pieces.emplace_back(reinterpret_cast<const char*>(column->at(static_cast<Slot>(first))),
                          n * column->record());
    }
    add(pieces);
  }
  std::vector<std::string_view> shards;
  for (std::size_t i = 0; i < IdTable::kShards; ++i) {
    const IdTable::View shard = index.table_.shard(i);
    shards.emplace_back(reinterpret_cast<const char*>(shard.slots), shard.capacity * sizeof(Slot));
  }
  add(shards);
  for (const std::vector<Slot>& list : index.leaving_) {
    add({{reinterpret_cast<const char*>(list.data()), list.size() * sizeof(Slot)}});
  }
  header.file_bytes = offset;
  page.assign(kHeaderBytes, '\0');
  std::memcpy(page.data(), &header, sizeof header);
  seal(page);
  parts[0] = page;
  return parts;
}

void GraphFile::adopt_table(HnswIndex& index, const Header& header) {
  const Section& section = header.sections[kTable];
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < IdTable::kShards; ++i) {
    const std::uint32_t capacity = header.shard_capacity[i];
    const std::uint32_t used = header.shard_used[i];
    need((capacity == 0 && used == 0) || (std::has_single_bit(capacity) && used < capacity),
         "its table of ids is wrong");
    need(section.bytes / sizeof(Slot) >= at + capacity, "its table of ids is wrong");
    auto* slots = reinterpret_cast<Slot*>(index.file_->copy() + section.offset) + at;
    index.table_.adopt(i, capacity > 0 ? slots : nullptr, capacity, used);
    at += capacity;
  }
  need(section.bytes == at * sizeof(Slot), "its table of ids is wrong");
}

std::unique_ptr<HnswIndex> GraphFile::open(std::unique_ptr<io::MappedFile> file) {
  const Header header = read_header(file->original());
  const HnswOptions options = options_of(header);
  std::unique_ptr<HnswIndex> index;
  try {
    index = std::make_unique<HnswIndex>(options);
  } catch (const Error& error) {
    corrupt(error.what());
  }
  need(header.count <= Nodes::kMaxSlots && header.live <= header.count &&
           header.upper_count <= Nodes::kMaxSlots && header.turn <= 1,
       "its counts are wrong");
  need(header.entry == kNoSlot ? header.live == 0 : header.entry < header.count && header.live > 0,
       "its entry is wrong");
  std::uint64_t offset = kHeaderBytes;
  for (const Section& section : header.sections) {
    need(section.offset == offset && section.bytes <= header.file_bytes - offset,
         "its sections are wrong");
    offset += (section.bytes + kAlignment - 1) / kAlignment * kAlignment;
    need(offset <= header.file_bytes, "its sections are wrong");
  }
  need(offset == header.file_bytes, "its size is wrong");

  index->file_ = std::move(file);
  Nodes& nodes = index->nodes_;
  std::size_t at = 0;
  for (Segments* column : columns(nodes)) {
    const Section& section = header.sections[at++];
    const std::size_t records =
        static_cast<std::size_t>(column == &nodes.upper_ ? header.upper_count : header.count);
    need(section.bytes == records * column->record(), "its sections are wrong");
    if (column->record() == 0) continue;
    column->adopt(index->file_->copy() + section.offset, records);
  }
  nodes.count_ = static_cast<std::size_t>(header.count);
  nodes.upper_count_ = static_cast<std::size_t>(header.upper_count);
  nodes.free_ = header.free;
  std::copy_n(header.free_upper, Nodes::kMaxLevel + 1, nodes.free_upper_);
  index->live_ = static_cast<std::size_t>(header.live);
  index->entry_ = header.entry;
  index->turn_ = header.turn;
  index->swept_ = header.swept;
  std::copy(std::begin(header.tag_rows), std::end(header.tag_rows), index->tag_rows_);
  adopt_table(*index, header);
  for (std::size_t turn = 0; turn < 2; ++turn) {
    const Section& section = header.sections[kEven + turn];
    need(section.bytes % sizeof(Slot) == 0 && section.bytes / sizeof(Slot) <= header.count,
         "its sections are wrong");
    index->leaving_[turn].resize(section.bytes / sizeof(Slot));
    if (section.bytes > 0) {
      std::memcpy(index->leaving_[turn].data(), index->file_->copy() + section.offset,
                  section.bytes);
    }
  }
  return index;
}

void GraphFile::check_node(const HnswIndex& index, Slot slot) {
  const Nodes& nodes = index.nodes_;
  const Head& head = nodes.head(slot);
  need(head.state <= State::kLeavingOdd, "a node's state is unknown");
  need(head.level <= Nodes::kMaxLevel &&
           (head.level == 0 || std::uint64_t{head.upper} + head.level <= nodes.upper_count_),
       "a node's level is wrong");
  if (head.state == State::kLive) need(index.find(head.id) == slot, "an id leads elsewhere");
  for (std::size_t level = 0; level <= head.level; ++level) {
    bool ended = false;
    for (const Slot link : nodes.links(slot, level)) {
      need(!ended || link == kNoSlot, "a node's links are wrong");
      ended = link == kNoSlot;
      if (ended) continue;
      need(link < nodes.count_ && link != slot, "a node's links are wrong");
      need(nodes.head(link).state != State::kFree && nodes.head(link).level >= level,
           "a node's links are wrong");
    }
  }
}

void GraphFile::check_structure(const HnswIndex& index) {
  const Nodes& nodes = index.nodes_;
  std::size_t live = 0;
  std::size_t leaving[2] = {0, 0};
  std::uint64_t tag_rows[64] = {};
  for (std::size_t at = 0; at < nodes.count_; ++at) {
    const auto slot = static_cast<Slot>(at);
    const State state = nodes.head(slot).state;
    if (state == State::kFree) continue;
    check_node(index, slot);
    if (state == State::kLive)
      ++live;
    else
      ++leaving[state == State::kLeavingOdd];
    for (Tags tags = nodes.tags(slot); tags != 0; tags &= tags - 1) {
      ++tag_rows[std::countr_zero(tags)];
    }
  }
  need(live == index.live_, "the number of its rows is wrong");
  std::size_t in_table = 0;
  for (std::size_t i = 0; i < IdTable::kShards; ++i) in_table += index.table_.shard(i).used;
  need(in_table == live, "its table of ids is wrong");
  need(std::equal(std::begin(tag_rows), std::end(tag_rows), index.tag_rows_),
       "its numbers of tags are wrong");
  for (std::size_t turn = 0; turn < 2; ++turn) {
    need(index.leaving_[turn].size() == leaving[turn], "its leaving nodes are wrong");
    for (const Slot slot : index.leaving_[turn]) {
      need(slot < nodes.count_ &&
               nodes.head(slot).state == (turn == 0 ? State::kLeavingEven : State::kLeavingOdd),
           "its leaving nodes are wrong");
    }
  }
  if (index.entry_ != kNoSlot) {
    need(nodes.head(index.entry_).state != State::kFree, "its entry is wrong");
  }
}

std::string HnswIndex::to_bytes() const {
  const std::lock_guard<std::mutex> writing(writer_);
  std::string page;
  std::string bytes;
  const auto parts = GraphFile::parts(*this, page);
  std::size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  bytes.reserve(size);
  for (const std::string_view part : parts) bytes += part;
  return bytes;
}

void HnswIndex::save(const std::filesystem::path& path) const {
  const std::lock_guard<std::mutex> writing(writer_);
  std::string page;
  io::replace_file(path, GraphFile::parts(*this, page));
}

std::unique_ptr<HnswIndex> HnswIndex::from_bytes(std::string_view bytes) {
  auto index = GraphFile::open(std::make_unique<io::MappedFile>(bytes));
  check_checksums(index->file_->original());
  GraphFile::check_structure(*index);
  return index;
}

std::unique_ptr<HnswIndex> HnswIndex::load(const std::filesystem::path& path) {
  try {
    auto index = GraphFile::open(std::make_unique<io::MappedFile>(path));
    if (!index->file_->mapped()) check_checksums(index->file_->original());
    return index;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kStorage) throw;
    const std::u8string name = path.u8string();
    throw Error(error.code(), "'" + std::string(name.begin(), name.end()) + "': " + error.what());
  }
}

void HnswIndex::verify() const {
  const std::lock_guard<std::mutex> writing(writer_);
  if (file_ && file_->mapped()) check_checksums(file_->original());
  GraphFile::check_structure(*this);
}

}  // namespace astraweave::index
