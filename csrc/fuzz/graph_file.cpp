// Any bytes as the file of a graph index. Verified, they are an error of ours or an index that
// gives them back; loaded unverified, nothing in them may break a search or a change.
//
// Real files are longer than an input may be here, so that an input is a patch: a small index is
// built, its file is changed as the input says, and sealed again where it wants that.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <vector>

#include "error.hpp"
#include "fuzz/fuzz.hpp"
#include "index/hnsw_index.hpp"
#include "io/crc32c.hpp"
#include "io/file.hpp"

namespace {

using namespace astraweave::index;
using astraweave::Error;

constexpr std::size_t kDims = 3;
constexpr std::size_t kHeader = 4096;

std::vector<float> vector_of(Id id) {
  return {1.0F + static_cast<float>(id % 7), static_cast<float>(id % 5),
          static_cast<float>(id % 3)};
}

// With rows that are leaving, and slots that are free.
const std::string& file_of(std::size_t which) {
  static const std::vector<std::string> files = [] {
    std::vector<std::string> made;
    for (std::uint32_t storage = 0; storage < 3; ++storage) {
      HnswOptions options;
      options.dims = kDims;
      options.metric = static_cast<Metric>(storage);
      options.storage = static_cast<Storage>(storage);
      options.m = 4;
      options.ef_construction = 10;
      options.ef_search = 1;  // walks, small as it is
      HnswIndex index(options);
      for (Id id = 0; id < 90; ++id) {
        const Tags tags = static_cast<Tags>(id % 4);
        index.insert({&id, 1}, vector_of(id).data(), {&tags, 1});
      }
      for (Id id = 0; id < 8; ++id) index.remove(id * 3);
      made.push_back(index.to_bytes());
    }
    return made;
  }();
  return files[which];
}

void seal(std::string& bytes) {
  const auto put = [&](std::size_t end) {
    const std::uint32_t sum = astraweave::io::crc32c(bytes.data(), end);
    std::memcpy(bytes.data() + end, &sum, sizeof sum);
  };
  if (bytes.size() < kHeader) return;
  put(12);
  put(kHeader - 4);
}

void use(HnswIndex& index) {
  std::vector<float> out(index.dims());
  const std::vector<float> query(index.dims(), 1.5F);
  for (Id id = 0; id < 12; ++id) {
    (void)index.search(query.data(), 3, {}, static_cast<std::size_t>(1 + id));
    (void)index.search(query.data(), 3, {.any_tags = 1});
    (void)index.get(id, out.data());
    (void)index.tags(id);
    try {
      const Id new_id = 100 + id;
      index.insert({&new_id, 1}, query.data());
      index.update(id + 1, query.data());
      index.set_tags(id, 3);
    } catch (const Error&) {
    }
    (void)index.remove(id);
  }
  (void)index.ids();
  (void)index.to_bytes();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  astraweave::fuzz::Reader reader(data, size);
  const std::size_t how = reader.below(4);
  std::string bytes;
  if (how == 0) {
    bytes = std::string(reader.rest());
  } else {
    bytes = file_of(reader.below(3));
    for (std::size_t patches = reader.below(16); patches > 0; --patches) {
      const std::size_t at = (reader.byte() | reader.byte() << 8) % bytes.size();
      const std::string patch = reader.text(16);
      bytes.replace(at, std::min(patch.size(), bytes.size() - at), patch, 0,
                    std::min(patch.size(), bytes.size() - at));
    }
    if (how == 2) bytes.resize(bytes.size() - std::min<std::size_t>(bytes.size(), reader.byte()));
    if (how == 3) seal(bytes);
  }
  try {
    const auto index = HnswIndex::from_bytes(bytes);
    FUZZ_CHECK(index->to_bytes().size() == bytes.size());
    use(*index);
    index->verify();
  } catch (const Error&) {
  }
  static const auto path =
      std::filesystem::temp_directory_path() / "astraweave-fuzz-graph-file.awg";
  astraweave::io::replace_file(path, bytes);
  try {
    const auto index = HnswIndex::load(path);
    if (index->dims() <= 64) use(*index);
  } catch (const Error&) {
  }
  return 0;
}
