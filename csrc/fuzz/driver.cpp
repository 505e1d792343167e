// Runs a fuzz target without libFuzzer: every file of the corpus, then seeded mutations of them.
//
//     fuzz-NAME [--seconds S] [--seed N] FILE_OR_FOLDER...
//
// An input that breaks the target is written to crash-input beside the caller.
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "fuzz/fuzz.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongest = 4096;

std::string current;  // what the target runs on

void keep_current() {
  std::ofstream("crash-input", std::ios::binary) << current;
  std::fprintf(stderr, "the input is in ./crash-input (%zu bytes)\n", current.size());
}

void on_abort(int) {
  keep_current();
  std::_Exit(1);
}

void run(std::string input) {
  current = std::move(input);
  // A copy of the exact size, so that reading past the end is seen.
  const std::vector<std::uint8_t> bytes(current.begin(), current.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

// One change of the sort that breaks parsers.
void mutate(std::string& input, const std::vector<std::string>& corpus, std::mt19937_64& engine) {
  static constexpr std::array<std::uint32_t, 8> kTelling = {0,    1,      0x7F,       0x80,
                                                            0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF};
  const auto at = [&](std::size_t size) { return size == 0 ? 0 : engine() % size; };
  const std::size_t where = at(input.size() + 1);
  const std::size_t length = 1 + at(8);
  switch (engine() % 7) {
    case 0:
      if (!input.empty()) input[at(input.size())] ^= static_cast<char>(1U << (engine() % 8));
      break;
    case 1:
      if (!input.empty()) input[at(input.size())] = static_cast<char>(engine());
      break;
    case 2:
      input.erase(std::min(where, input.size()), length);
      break;
    case 3:
      for (std::size_t i = 0; i < length; ++i) input.insert(where, 1, static_cast<char>(engine()));
      break;
    case 4: {
      const std::uint32_t value = kTelling[engine() % kTelling.size()];
      if (where + 4 <= input.size()) std::memcpy(input.data() + where, &value, 4);
      break;
    }
    case 5: {
      const std::string part = input.substr(at(input.size()), 1 + at(32));
      input.insert(where, part);
      break;
    }
    default: {
      const std::string& other = corpus[engine() % corpus.size()];
      input = input.substr(0, where) + other.substr(at(other.size()));
    }
  }
  if (input.size() > kLongest) input.resize(kLongest);
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int count, char** arguments) {
  double seconds = 0;
  std::uint64_t seed = 1;
  std::vector<fs::path> paths;
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    if (i + 1 < count && name == "--seconds") {
      seconds = std::atof(arguments[++i]);
    } else if (i + 1 < count && name == "--seed") {
      seed = static_cast<std::uint64_t>(std::atoll(arguments[++i]));
    } else if (fs::is_directory(name)) {
      for (const auto& entry : fs::directory_iterator(name)) paths.push_back(entry.path());
    } else {
      paths.emplace_back(name);
    }
  }
  std::sort(paths.begin(), paths.end());  // the same run on every machine
  std::signal(SIGABRT, on_abort);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(keep_current);
#endif

  std::vector<std::string> corpus{""};
  for (const fs::path& path : paths) corpus.push_back(read(path));
  if (corpus.size() < 2) {
    std::fprintf(stderr, "no corpus was given\n");
    return 2;
  }
  for (const std::string& input : corpus) run(input);

  std::mt19937_64 engine(seed);
  const auto stop = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  std::size_t runs = 0;
  for (; std::chrono::steady_clock::now() < stop; ++runs) {
    std::string input = corpus[engine() % corpus.size()];
    for (std::size_t i = 1 + engine() % 8; i > 0; --i) mutate(input, corpus, engine);
    run(std::move(input));
  }
  std::printf("%zu inputs of the corpus and %zu mutations: nothing broke\n", corpus.size(), runs);
  return 0;
}
