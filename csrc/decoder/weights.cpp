#include "decoder/weights.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <initializer_list>
#include <new>
#include <system_error>
#include <utility>

#include "error.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace astraweave::decoder {
namespace {

constexpr std::size_t kBlock = simd::kProductBlock;
constexpr std::size_t kHugePage = std::size_t{1} << 21;
constexpr std::align_val_t kPanelAlignment{kHugePage};
constexpr std::size_t kRowsAtOnce = 1024;  // of a matrix that are read and packed

using Dimensions = std::initializer_list<std::uint64_t>;

// The file and its table; every tensor is checked as it is asked for.
class Source {
 public:
  Source(const std::filesystem::path& path, const TensorTable& table) : path_(path), table_(table) {
    std::error_code failed;
    size_ = std::filesystem::file_size(path, failed);
    file_.open(path, std::ios::binary);
    if (failed || !file_) {
      throw Error(ErrorCode::kStorage, "cannot read '" + path.string() + "'" +
                                           (failed ? ": " + failed.message() : std::string()));
    }
  }

  std::uint64_t size() const noexcept { return size_; }
  bool has(const std::string& name) const { return table_.contains(name); }

  const TensorPlace& place(const std::string& name, TensorType type, Dimensions shape) const {
    const auto found = table_.find(name);
    if (found == table_.end()) fail(name, "is missing");
    const TensorPlace& place = found->second;
    if (place.type != type) fail(name, "is of the wrong type");
    if (!std::equal(place.shape.begin(), place.shape.end(), shape.begin(), shape.end())) {
      fail(name, "is of the wrong shape");
    }
    std::uint64_t bytes = type == TensorType::kFloat32 ? sizeof(float) : 1;
    for (const std::uint64_t size : shape) bytes *= size;  // the shape's numbers are checked
    if (place.offset > size_ || bytes > size_ - place.offset) fail(name, "lies outside the file");
    return place;
  }

  template <class T>
  void read(const std::string& name, std::uint64_t offset, T* to, std::size_t count) {
    file_.seekg(static_cast<std::streamoff>(offset));
    file_.read(reinterpret_cast<char*>(to), static_cast<std::streamsize>(count * sizeof(T)));
    if (!file_) fail(name, "cannot be read");
    if constexpr (std::is_same_v<T, float>) {
      for (std::size_t i = 0; i < count; ++i) {
        if (!std::isfinite(to[i])) fail(name, "holds what is no number");
      }
    }
  }

  Numbers numbers(const std::string& name, Dimensions shape) {
    const TensorPlace& at = place(name, TensorType::kFloat32, shape);
    std::size_t count = 1;
    for (const std::uint64_t size : shape) count *= size;
    Numbers values(count);
    read(name, at.offset, values.data(), count);
    return values;
  }

  [[noreturn]] void fail(const std::string& name, const char* what) const {
    throw Error(ErrorCode::kCorruptData, "'" + path_.string() + "': the tensor " + name + " " +
                                             what + "; convert the model again");
  }

 private:
  const std::filesystem::path& path_;
  const TensorTable& table_;
  std::uint64_t size_ = 0;
  std::ifstream file_;
};

// A matrix as it is in the file, checked before anything of it is read.
struct Matrix {
  std::string name;
  std::size_t outputs, columns;
  bool symmetric;  // no zero points in the file

  void check(const Source& source) const {
    const std::uint64_t blocks = columns / kBlock;
    (void)source.place(name + ".q", TensorType::kUint8, {outputs, blocks, kBlock});
    (void)source.place(name + ".s", TensorType::kFloat32, {outputs, blocks});
    if (!symmetric) (void)source.place(name + ".z", TensorType::kUint8, {outputs, blocks});
  }

  std::size_t panel_bytes() const noexcept {
    return PanelMemory::rounded(simd::Panels{nullptr, outputs, columns}.bytes());
  }

  Linear load(Source& source, PanelMemory& memory) const {
    const std::size_t blocks = columns / kBlock;
    const TensorPlace& q = source.place(name + ".q", TensorType::kUint8, {outputs, blocks, kBlock});
    const TensorPlace& s = source.place(name + ".s", TensorType::kFloat32, {outputs, blocks});
    const TensorPlace* z =
        symmetric ? nullptr : &source.place(name + ".z", TensorType::kUint8, {outputs, blocks});
    std::uint8_t* panels = memory.take(panel_bytes());
    const std::size_t most = std::min(outputs, kRowsAtOnce);
    std::vector<std::uint8_t> codes(most * columns), zeros(symmetric ? 0 : most * blocks);
    std::vector<float> scales(most * blocks);
    for (std::size_t first = 0; first < outputs; first += most) {
      const std::size_t count = std::min(most, outputs - first);
      source.read(name + ".q", q.offset + first * columns, codes.data(), count * columns);
      source.read(name + ".s", s.offset + first * blocks * sizeof(float), scales.data(),
                  count * blocks);
      if (z != nullptr) {
        source.read(name + ".z", z->offset + first * blocks, zeros.data(), count * blocks);
      }
      simd::pack_outputs(panels, columns, first, count, codes.data(), scales.data(),
                         z == nullptr ? nullptr : zeros.data());
    }
    Linear linear{{panels, outputs, columns}, {}};
    if (source.has(name + ".bias")) {
      linear.bias = source.numbers(name + ".bias", {outputs});
      linear.bias.resize(linear.panels.count() * simd::kPanelOutputs);
    }
    return linear;
  }
};

// All matrices of a model, in the order in which a step needs them.
std::vector<Matrix> matrices(const Shape& s, bool own_head) {
  std::vector<Matrix> all;
  for (std::size_t i = 0; i < s.layers; ++i) {
    const std::string layer = "l" + std::to_string(i);
    all.push_back({layer + ".qkv", s.packed(), s.width, false});
    all.push_back({layer + ".o", s.width, s.queries(), false});
    all.push_back({layer + ".gu", 2 * s.hidden, s.width, false});
    all.push_back({layer + ".down", s.width, s.hidden, false});
  }
  if (own_head) all.push_back({"logits", s.vocabulary, s.width, false});
  all.push_back({"embedding", s.vocabulary, s.width, true});
  return all;
}

}  // namespace

PanelMemory::PanelMemory(std::size_t bytes) : bytes_(bytes) {
  const std::size_t whole = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  data_ = static_cast<std::uint8_t*>(::operator new(whole, kPanelAlignment, std::nothrow));
  if (data_ == nullptr) {
    throw Error(ErrorCode::kCapacity, "no room for " + std::to_string(bytes) + " bytes of weights");
  }
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  (void)::madvise(data_, whole, MADV_HUGEPAGE);  // a step reads all of it, once
#endif
  std::fill_n(data_, bytes, std::uint8_t{0});
}

PanelMemory::~PanelMemory() {
  if (data_ != nullptr) ::operator delete(data_, kPanelAlignment);
}

std::uint8_t* PanelMemory::take(std::size_t bytes) noexcept {
  return data_ + std::exchange(taken_, taken_ + rounded(bytes));
}

Weights::Weights(const std::filesystem::path& data, const Shape& shape, const TensorTable& table)
    : shape_(shape), panels_([&] {
        shape.check();
        const Source source(data, table);
        std::size_t bytes = 0, codes = 0;  // of tensors within the file: no sum overflows
        for (const Matrix& matrix : matrices(shape, source.has("logits.q"))) {
          matrix.check(source);
          bytes += matrix.panel_bytes();
          codes += matrix.outputs * matrix.columns;
          if (codes > source.size()) source.fail(matrix.name, "overlaps another");
        }
        return bytes;
      }()) {
  Source source(data, table);
  std::vector<Linear> loaded;
  for (const Matrix& matrix : matrices(shape, source.has("logits.q"))) {
    loaded.push_back(matrix.load(source, panels_));
  }
  auto next = loaded.begin();
  for (std::size_t i = 0; i < shape.layers; ++i) {
    const std::string block = "blk." + std::to_string(i) + ".";
    LayerWeights& layer = layers_.emplace_back();
    layer.qkv = std::move(*next++);
    layer.output = std::move(*next++);
    layer.gate_up = std::move(*next++);
    layer.down = std::move(*next++);
    layer.attention_norm = source.numbers(block + "attn_norm.weight", {shape.width});
    layer.feed_forward_norm = source.numbers(block + "ffn_norm.weight", {shape.width});
    if (source.has(block + "attn_q_norm.weight") || source.has(block + "attn_k_norm.weight")) {
      layer.query_norm = source.numbers(block + "attn_q_norm.weight", {shape.head_size});
      layer.key_norm = source.numbers(block + "attn_k_norm.weight", {shape.head_size});
    }
  }
  if (source.has("logits.q")) head_ = std::move(*next++);
  embedding_ = std::move(*next);
  last_norm_ = source.numbers("output_norm.weight", {shape.width});
  cos_ = source.numbers("rope.cos", {shape.context, shape.head_size / 2});
  sin_ = source.numbers("rope.sin", {shape.context, shape.head_size / 2});
}

}  // namespace astraweave::decoder
