// How an index is written and read; the format stands in format.md.
#include <algorithm>
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
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kFixedHeader = 16;
constexpr std::size_t kHeader = 32;
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
  throw Error(ErrorCode::kCorruptData, "the vector index is damaged: " + why);
}

struct Header {
  std::uint32_t metric;
  std::uint32_t dims;
  std::uint64_t count;
};

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
  if (version < 1 || bytes.size() < kHeader + kFooter) corrupt("it ends inside its header");
  const std::size_t body = bytes.size() - kFooter;
  if (read_at<std::uint32_t>(bytes, body) != io::crc32c(bytes.data(), body)) {
    corrupt("its checksum is wrong, or its end is missing");
  }
  const Header header{read_at<std::uint32_t>(bytes, 16), read_at<std::uint32_t>(bytes, 20),
                      read_at<std::uint64_t>(bytes, 24)};
  if (header.metric > static_cast<std::uint32_t>(Metric::kL2)) corrupt("its metric is unknown");
  if (header.dims < 1 || header.dims > FlatIndex::kMaxDims) corrupt("its dimensions are wrong");
  const std::uint64_t per_row = sizeof(Id) + sizeof(float) * std::uint64_t{header.dims};
  const std::uint64_t rest = bytes.size() - kHeader - kFooter;
  if (rest / per_row != header.count || rest % per_row != 0) corrupt("its size is wrong");
  return header;
}

}  // namespace

std::string FlatIndex::to_bytes() const {
  const std::shared_lock lock(mutex_);
  std::vector<Slot> order(ids_.size());
  std::iota(order.begin(), order.end(), Slot{0});
  std::sort(order.begin(), order.end(), [this](Slot a, Slot b) { return ids_[a] < ids_[b]; });

  std::string out;
  out.reserve(kHeader + ids_.size() * (sizeof(Id) + dims() * sizeof(float)) + kFooter);
  out += kMagic;
  append(out, kVersion);
  append(out, io::crc32c(out.data(), out.size()));
  append(out, static_cast<std::uint32_t>(metric_));
  append(out, static_cast<std::uint32_t>(dims()));
  append(out, static_cast<std::uint64_t>(ids_.size()));
  for (const Slot slot : order) append(out, ids_[slot]);
  for (const Slot slot : order) {
    out.append(reinterpret_cast<const char*>(rows_.row(slot)), dims() * sizeof(float));
  }
  append(out, io::crc32c(out.data(), out.size()));
  return out;
}

std::unique_ptr<FlatIndex> FlatIndex::from_bytes(std::string_view bytes) {
  const Header header = read_header(bytes);
  auto index = std::make_unique<FlatIndex>(header.dims, static_cast<Metric>(header.metric));
  const auto count = static_cast<std::size_t>(header.count);
  std::vector<Id> ids(count);
  if (count > 0) std::memcpy(ids.data(), bytes.data() + kHeader, count * sizeof(Id));
  if (std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) != ids.end()) {
    corrupt("its ids are out of order");
  }
  index->slots_.reserve(count);
  index->push(ids);
  const char* from = bytes.data() + kHeader + count * sizeof(Id);
  const std::size_t row_bytes = header.dims * sizeof(float);
  for (std::size_t i = 0; i < count; ++i, from += row_bytes) {
    float* row = index->rows_.push_zero();
    std::memcpy(row, from, row_bytes);
    if (!std::all_of(row, row + header.dims, [](float x) { return std::isfinite(x); })) {
      corrupt("a vector is not made of numbers");
    }
  }
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
