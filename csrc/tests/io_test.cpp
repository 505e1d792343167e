#include <algorithm>
#include <filesystem>
#include <random>

#include "error.hpp"
#include "io/crc32c.hpp"
#include "io/file.hpp"
#include "tests/check.hpp"

namespace astraweave::tests {
namespace {

namespace fs = std::filesystem;

void checksum_is_the_standard_one() {
  CHECK(io::crc32c("123456789", 9) == 0xe3069283u);
  CHECK(io::crc32c("", 0) == 0);
  CHECK(io::crc32c("56789", 5, io::crc32c("1234", 4)) == 0xe3069283u);
}

void files_are_replaced_whole() {
  const fs::path folder =
      fs::temp_directory_path() / ("astraweave-native-" + std::to_string(std::random_device{}()));
  fs::create_directory(folder);
  const fs::path path = folder / "content";
  io::replace_file(path, std::string_view("a\0b", 3));
  CHECK(io::read_file(path) == std::string("a\0b", 3));
  io::replace_file(path, "");
  CHECK(io::read_file(path).empty());
  CHECK_THROWS(io::read_file(folder / "nothing"), kStorage);
  CHECK_THROWS((io::replace_file(folder / "no" / "where", "x"), 0), kStorage);
  CHECK_THROWS((io::replace_file(folder, "x"), 0), kStorage);
  CHECK(std::distance(fs::directory_iterator(folder), fs::directory_iterator()) == 1);
  fs::remove_all(folder);
}

}  // namespace

void run_io_tests() {
  checksum_is_the_standard_one();
  files_are_replaced_whole();
}

}  // namespace astraweave::tests
