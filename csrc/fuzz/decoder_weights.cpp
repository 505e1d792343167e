// Any table and any file as the weights of a decoder: an error of ours, or a decoder that computes.
//
// An input is a patch: of a tiny model's numbers, of rows of its table, and of its file.
#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <vector>

#include "decoder/decoder.hpp"
#include "error.hpp"
#include "fuzz/fuzz.hpp"
#include "io/file.hpp"
#include "tests/tiny_decoder.hpp"

namespace {

using astraweave::Error;
using astraweave::fuzz::Reader;
using astraweave::tests::TinyDecoder;
namespace decoder = astraweave::decoder;

std::uint64_t number(Reader& reader) {
  const std::uint64_t value = reader.byte();
  switch (reader.below(4)) {
    case 0:
      return value;
    case 1:
      return value * 32;
    case 2:
      return value << 24;
    default:
      return value << 56;
  }
}

void patch_shape(Reader& reader, decoder::Shape& shape) {
  std::size_t* const numbers[] = {&shape.layers,     &shape.width,    &shape.hidden,
                                  &shape.heads,      &shape.kv_heads, &shape.head_size,
                                  &shape.vocabulary, &shape.context};
  *numbers[reader.below(std::size(numbers))] = static_cast<std::size_t>(number(reader));
}

void patch_table(Reader& reader, decoder::TensorTable& table) {
  std::vector<std::string> names;
  for (const auto& [name, place] : table) names.push_back(name);
  std::sort(names.begin(), names.end());
  const std::string& name = names[reader.below(names.size())];
  switch (reader.below(4)) {
    case 0:
      table.erase(name);
      break;
    case 1:
      table[name].offset = number(reader);
      break;
    case 2:
      table[name].shape[reader.below(table[name].shape.size())] = number(reader);
      break;
    default:
      table[name] = table[names[reader.below(names.size())]];
  }
}

void use(std::shared_ptr<const decoder::Weights> weights) {
  static const auto team = std::make_shared<astraweave::threads::Team>(1);
  decoder::Decoder run(std::move(weights), team, {});
  std::vector<float> logits(2 * run.logits_stride());
  const std::vector<std::int32_t> sequences = {run.sequences().open(), run.sequences().open()};
  const std::vector<std::int32_t> counts = {1, 2}, tokens = {0, 1, 0}, wanted = {0, 2};
  run.step({sequences, counts, tokens, wanted}, logits.data());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const TinyDecoder whole[] = {
      TinyDecoder(), TinyDecoder({.biases = true, .head_norms = true, .own_head = true})};
  Reader reader(data, size);
  TinyDecoder tiny = whole[reader.below(2)];
  for (std::size_t patches = reader.below(3); patches > 0; --patches) {
    patch_shape(reader, tiny.shape);
  }
  for (std::size_t patches = reader.below(6); patches > 0; --patches) {
    patch_table(reader, tiny.table);
  }
  for (std::size_t patches = reader.below(16); patches > 0; --patches) {
    const std::size_t at = (reader.byte() | reader.byte() << 8) % tiny.file.size();
    const std::string patch = reader.text(8);
    const std::size_t count = std::min(patch.size(), tiny.file.size() - at);
    tiny.file.replace(at, count, patch, 0, count);
  }
  static const auto path = std::filesystem::temp_directory_path() / "astraweave-fuzz-weights.data";
  astraweave::io::replace_file(path, tiny.file);
  try {
    use(std::make_shared<decoder::Weights>(path, tiny.shape, tiny.table));
  } catch (const Error&) {
  }
  return 0;
}
