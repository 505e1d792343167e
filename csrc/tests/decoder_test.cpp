#include "decoder/decoder.hpp"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <numeric>
#include <vector>

#include "error.hpp"
#include "io/file.hpp"
#include "tests/check.hpp"
#include "tests/tiny_decoder.hpp"

namespace astraweave::tests {
namespace {

using decoder::Decoder;
using decoder::Weights;
using threads::Team;
using Ints = std::vector<std::int32_t>;

std::filesystem::path file_path() {
  return std::filesystem::temp_directory_path() / "astraweave-decoder-test.data";
}

std::shared_ptr<const Weights> load(const TinyDecoder& tiny) {
  io::replace_file(file_path(), tiny.file);
  return std::make_shared<Weights>(file_path(), tiny.shape, tiny.table);
}

// A decoder, and the logits of its last step row by row.
struct Run {
  Decoder decoder;
  std::vector<float> memory;

  Run(std::shared_ptr<const Weights> weights, std::size_t threads,
      const decoder::DecoderOptions& options = {})
      : decoder(std::move(weights), std::make_shared<Team>(threads), options) {}

  std::vector<std::vector<float>> step(const Ints& sequences, const Ints& counts,
                                       const Ints& tokens, const Ints& wanted) {
    const std::size_t stride = decoder.logits_stride();
    memory.assign(wanted.size() * stride, 0);
    decoder.step({sequences, counts, tokens, wanted}, memory.data());
    std::vector<std::vector<float>> rows;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const float* row = memory.data() + i * stride;
      rows.emplace_back(row, row + decoder.shape().vocabulary);
    }
    return rows;
  }
};

Ints counted(int n) {
  Ints numbers(static_cast<std::size_t>(n));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

const Ints kPrompt = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6};

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Whole, in pieces, token by token, beside others and on more threads: the same bits.
void rows_keep_apart(const TinyOptions& options) {
  const auto weights = load(TinyDecoder(options));
  const int n = static_cast<int>(kPrompt.size());
  Run whole(weights, 1);
  const auto wanted = whole.step({whole.decoder.sequences().open()}, {n}, kPrompt, counted(n));
  for (const std::size_t threads : {1, 3}) {
    Run run(weights, threads);
    auto& sequences = run.decoder.sequences();
    const auto one = sequences.open(), other = sequences.open(), third = sequences.open();
    for (std::int32_t i = 0; i < n; ++i) {
      const std::int32_t token = kPrompt[static_cast<std::size_t>(i)];
      const auto rows = run.step({other, one, third}, {2, 1, 1}, {7, 8, token, 69 - i}, {1, 2});
      CHECK(same(rows[1], wanted[static_cast<std::size_t>(i)]));
    }
    const auto piece = sequences.fork(one, 5);
    const auto rows =
        run.step({piece}, {n - 5}, Ints(kPrompt.begin() + 5, kPrompt.end()), counted(n - 5));
    for (std::size_t i = 0; i < rows.size(); ++i) CHECK(same(rows[i], wanted[i + 5]));
    CHECK(run.step({piece}, {1}, {1}, {}).empty());
    CHECK(sequences.length(piece) == kPrompt.size() + 1);
  }
}

void what_makes_no_sense_is_refused() {
  const auto weights = load(TinyDecoder());
  Run run(weights, 2, {simd::KvKind::kHalf, std::size_t{1} << 20, 3, 32});
  const auto one = run.decoder.sequences().open();
  CHECK_THROWS(run.step({one}, {1, 1}, {1, 2}, {}), kInput);
  CHECK_THROWS(run.step({one}, {0}, {}, {}), kInput);
  CHECK_THROWS(run.step({one}, {-5}, {}, {}), kInput);
  CHECK_THROWS(run.step({one}, {2}, {1}, {}), kInput);
  CHECK_THROWS(run.step({one}, {1}, {-1}, {}), kInput);
  CHECK_THROWS(run.step({one}, {1}, {70}, {}), kInput);
  CHECK_THROWS(run.step({one}, {2}, {1, 2}, {1, 1}), kInput);
  CHECK_THROWS(run.step({one}, {2}, {1, 2}, {2}), kInput);
  CHECK_THROWS(run.step({one}, {2}, {1, 2}, {-1}), kInput);
  CHECK_THROWS(run.step({one, one}, {1, 1}, {1, 2}, {}), kInput);
  CHECK_THROWS(run.step({one, one + 1}, {1, 1}, {1, 2}, {}), kInput);
  CHECK_THROWS(run.step({one}, {33}, Ints(33, 1), {}), kCapacity);
  CHECK(run.decoder.sequences().length(one) == 0);
  CHECK(run.step({}, {}, {}, {}).empty());
  CHECK_THROWS(Run(weights, 1, {simd::KvKind::kHalf, std::size_t{1} << 20, 3, 65}), kConfig);
}

void damaged_weights_are_refused() {
  const TinyDecoder whole;
  const auto broken = [&](auto&& damage) {
    TinyDecoder tiny = whole;
    damage(tiny);
    return tiny;
  };
  for (const auto& [name, place] : whole.table) {
    const std::string tensor = name;
    CHECK_THROWS(load(broken([&](TinyDecoder& t) { t.table.erase(tensor); })), kCorruptData);
    CHECK_THROWS(load(broken([&](TinyDecoder& t) { t.table[tensor].shape.back() += 1; })),
                 kCorruptData);
    CHECK_THROWS(load(broken([&](TinyDecoder& t) { t.table[tensor].shape.push_back(1); })),
                 kCorruptData);
    for (const std::uint64_t offset : {std::uint64_t{whole.file.size()}, ~std::uint64_t{0}}) {
      CHECK_THROWS(load(broken([&](TinyDecoder& t) { t.table[tensor].offset = offset; })),
                   kCorruptData);
    }
    if (place.type == decoder::TensorType::kUint8) continue;
    CHECK_THROWS(load(broken([&](TinyDecoder& t) {
                   const float wrong = std::numeric_limits<float>::quiet_NaN();
                   std::memcpy(t.file.data() + t.table[tensor].offset, &wrong, sizeof wrong);
                 })),
                 kCorruptData);
    CHECK_THROWS(
        load(broken([&](TinyDecoder& t) { t.table[tensor].type = decoder::TensorType::kUint8; })),
        kCorruptData);
  }
  CHECK_THROWS(load(broken([](TinyDecoder& t) { t.file.resize(t.file.size() - 1); })),
               kCorruptData);
  CHECK_THROWS(load(broken([](TinyDecoder& t) { t.shape.width = 65; })), kConfig);
  CHECK_THROWS(load(broken([](TinyDecoder& t) { t.shape.kv_heads = 3; })), kConfig);
  CHECK_THROWS(load(broken([](TinyDecoder& t) { t.shape.layers = ~std::size_t{0}; })), kConfig);
  CHECK_THROWS(Weights(file_path() / "no such file", whole.shape, whole.table), kStorage);
}

// Finite weights whose products overflow.
void endless_logits_are_an_error() {
  TinyDecoder tiny;
  const auto& scales = tiny.table["embedding.s"];
  const float huge = 3e38F;
  for (std::size_t i = 0; i < tiny.shape.vocabulary * 2; ++i) {
    std::memcpy(tiny.file.data() + scales.offset + i * sizeof huge, &huge, sizeof huge);
  }
  Run run(load(tiny), 2);
  const auto one = run.decoder.sequences().open();
  CHECK_THROWS(run.step({one}, {1}, {1}, {0}), kModel);
}

}  // namespace

void run_decoder_tests() {
  rows_keep_apart({});
  rows_keep_apart({.biases = true, .head_norms = true, .own_head = true, .head_size = 48});
  what_makes_no_sense_is_refused();
  damaged_weights_are_refused();
  endless_logits_are_an_error();
  std::filesystem::remove(file_path());
}

}  // namespace astraweave::tests
