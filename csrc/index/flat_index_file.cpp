// How an index is written and read; the format stands in format.md.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <numeric>
#include <shared_mutex>

#include "error.hpp"
#include "index/flat_index.hpp"
#include "io/crc32c.hpp"
#include "io/file.hpp"

namespace astraweave::index {
namespace {

constexpr std::string_view kMagic = "AWVECTOR";
constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kFixedHeader = 16;
constexpr std::size_t kFooter = 4;

template <class T>
void put(char*& out, const T& value) {
  std::memcpy(out, &value, sizeof(T));
  out += sizeof(T);
}

template <class T>
T read_at(std::string_view bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

[[noreturn]] void corrupt(const std::string& why) {
  throw Error(ErrorCode::kCorruptData, "the vector index is damaged: " + why);
}

struct Header {
  std::uint32_t metric;
  std::uint32_t dims;
  std::uint64_t count;
  std::uint32_t storage;
  bool has_tags;
  std::size_t size;  // where the ids begin
};

constexpr std::size_t header_size(std::uint32_t version) { return version == 1 ? 32 : 40; }

std::size_t row_bytes(std::size_t dims, std::uint32_t storage) {
  return RowStore(dims, static_cast<Storage>(storage)).row_bytes();
}

Header read_header(std::string_view bytes) {
  if (bytes.size() < kFixedHeader) corrupt("it ends inside its header");
  if (bytes.substr(0, kMagic.size()) != kMagic) corrupt("it does not begin like one");
  if (read_at<std::uint32_t>(bytes, 12) != io::crc32c(bytes.data(), 12)) {
    corrupt("the checksum of its header is wrong");
  }
  const auto version = read_at<std::uint32_t>(bytes, 8);
  if (version > kVersion) {
    throw Error(ErrorCode::kFormatVersion, "the vector index has format " +
                                               std::to_string(version) +
                                               ", this astraweave reads up to " +
                                               std::to_string(kVersion) + "; update astraweave");
  }
  const std::size_t head = header_size(version);
  if (version < 1 || bytes.size() < head + kFooter) corrupt("it ends inside its header");
  const std::size_t body = bytes.size() - kFooter;
  if (read_at<std::uint32_t>(bytes, body) != io::crc32c(bytes.data(), body)) {
    corrupt("its checksum is wrong, or its end is missing");
  }
  Header header{read_at<std::uint32_t>(bytes, 16),
                read_at<std::uint32_t>(bytes, 20),
                read_at<std::uint64_t>(bytes, 24),
                0,
                version > 1,
                head};
  if (header.has_tags) header.storage = read_at<std::uint32_t>(bytes, 32);
  if (header.metric > static_cast<std::uint32_t>(Metric::kL2)) corrupt("its metric is unknown");
  if (header.dims < 1 || header.dims > FlatIndex::kMaxDims) corrupt("its dimensions are wrong");
  if (header.storage > static_cast<std::uint32_t>(Storage::kInt8)) corrupt("its form is unknown");
  if (header.has_tags && read_at<std::uint32_t>(bytes, 36) != 0) corrupt("its header is wrong");
  const std::uint64_t per_row =
      sizeof(Id) + (header.has_tags ? sizeof(Tags) : 0) + row_bytes(header.dims, header.storage);
  const std::uint64_t rest = body - head;
  if (rest / per_row != header.count || rest % per_row != 0) corrupt("its size is wrong");
  return header;
}

}  // namespace

std::string FlatIndex::to_bytes() const {
  std::string out;
  to_bytes([&out](std::size_t size) {
    out.resize(size);
    return out.data();
  });
  return out;
}

void FlatIndex::to_bytes(const std::function<char*(std::size_t)>& allocate) const {
  const std::shared_lock lock(mutex_);
  std::vector<Slot> order(ids_.size());
  std::iota(order.begin(), order.end(), Slot{0});
  std::sort(order.begin(), order.end(), [this](Slot a, Slot b) { return ids_[a] < ids_[b]; });

  const std::size_t per_row = sizeof(Id) + sizeof(Tags) + rows_.row_bytes();
  const std::size_t size = header_size(kVersion) + ids_.size() * per_row + kFooter;
  char* const begin = allocate(size);
  char* out = std::copy(kMagic.begin(), kMagic.end(), begin);
  put(out, kVersion);
  put(out, io::crc32c(begin, 12));
  put(out, static_cast<std::uint32_t>(metric_));
  put(out, static_cast<std::uint32_t>(dims()));
  put(out, static_cast<std::uint64_t>(ids_.size()));
  put(out, static_cast<std::uint32_t>(storage()));
  put(out, std::uint32_t{0});
  for (const Slot slot : order) put(out, ids_[slot]);
  for (const Slot slot : order) put(out, tags_[slot]);
  for (const Slot slot : order) {
    rows_.write_bytes(slot, out);
    out += rows_.row_bytes();
  }
  put(out, io::crc32c(begin, size - kFooter));
}

// The length of a row as it may be kept: cosine's are 1, but for what rounding adds.
double FlatIndex::longest_kept() const noexcept {
  return metric_ == Metric::kCosine ? 2.01 : std::sqrt(double{FLT_MAX} / 8) * 2;
}

void FlatIndex::read_rows(const char* from) {
  std::vector<float> kept(dims());
  for (std::size_t slot = 0; slot < ids_.size(); ++slot, from += rows_.row_bytes()) {
    rows_.push_zero();
    if (!rows_.read_bytes(slot, from)) corrupt("a vector is not made of numbers");
    rows_.read(slot, kept.data());
    double squared = 0;
    for (const float number : kept) squared += double{number} * number;
    if (!(squared <= longest_kept() * longest_kept())) corrupt("a vector is too long");
  }
}

std::unique_ptr<FlatIndex> FlatIndex::from_bytes(std::string_view bytes) {
  const Header header = read_header(bytes);
  auto index = std::make_unique<FlatIndex>(header.dims, static_cast<Metric>(header.metric),
                                           static_cast<Storage>(header.storage));
  const auto count = static_cast<std::size_t>(header.count);
  const char* from = bytes.data() + header.size;
  std::vector<Id> ids(count);
  if (count > 0) std::memcpy(ids.data(), from, count * sizeof(Id));
  from += count * sizeof(Id);
  if (std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) != ids.end()) {
    corrupt("its ids are out of order");
  }
  index->slots_.reserve(count);
  index->push(ids);
  index->tags_.resize(count);
  if (header.has_tags) {
    if (count > 0) std::memcpy(index->tags_.data(), from, count * sizeof(Tags));
    from += count * sizeof(Tags);
  }
  index->read_rows(from);
  return index;
}

void FlatIndex::save(const std::filesystem::path& path) const {
  io::replace_file(path, to_bytes());
}

std::unique_ptr<FlatIndex> FlatIndex::load(const std::filesystem::path& path) {
  const std::string bytes = io::read_file(path);
  try {
    return from_bytes(bytes);
  } catch (const Error& error) {
    const std::u8string name = path.u8string();
    throw Error(error.code(), "'" + std::string(name.begin(), name.end()) + "': " + error.what());
  }
}

}  // namespace astraweave::index
