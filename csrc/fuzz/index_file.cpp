// Any bytes as the file of a vector index: an error of ours, or an index that gives them back.
#include <cmath>
#include <cstring>
#include <vector>

#include "error.hpp"
#include "fuzz/fuzz.hpp"
#include "index/flat_index.hpp"
#include "io/crc32c.hpp"

namespace {

using astraweave::index::FlatIndex;

// Checksums would stop nearly every mutation at the door; a sealed one gets to what is behind it.
void seal(std::string& bytes) {
  const auto put = [&](std::size_t end) {
    const std::uint32_t sum = astraweave::io::crc32c(bytes.data(), end);
    std::memcpy(bytes.data() + end, &sum, sizeof sum);
  };
  if (bytes.size() >= 16) put(12);
  if (bytes.size() >= 36) put(bytes.size() - 4);  // the shortest header and a footer
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  astraweave::fuzz::Reader reader(data, size);
  const bool sealed = reader.flag();
  std::string bytes(reader.rest());
  if (sealed) seal(bytes);
  try {
    const auto index = FlatIndex::from_bytes(bytes);
    // A file of an older version comes back as one of the newest.
    const std::string again = index->to_bytes();
    FUZZ_CHECK(again == bytes || bytes[8] == 1);
    FUZZ_CHECK(FlatIndex::from_bytes(again)->to_bytes() == again);
    const std::vector<float> query(index->dims(), 1.0F);
    std::vector<float> row(index->dims());
    FUZZ_CHECK(index->search(query.data(), 3).size() == std::min<std::size_t>(3, index->size()));
    for (const auto id : index->ids()) {
      FUZZ_CHECK(index->get(id, row.data()));
      FUZZ_CHECK(index->tags(id).has_value());
      float score = 0;
      index->scores(query.data(), {&id, 1}, &score);
      FUZZ_CHECK(!std::isnan(score));
      FUZZ_CHECK(index->remove(id));
    }
    FUZZ_CHECK(index->size() == 0);
  } catch (const astraweave::Error&) {
  }
  return 0;
}
