// The decoder's memory and attention, one call at a time: for the tests, which hold them against
// their references. The decoder itself runs them without Python in between.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bindings/bindings.hpp"
#include "decoder/attention.hpp"
#include "decoder/kv_pages.hpp"
#include "error.hpp"
#include "simd/half/half.hpp"
#include "simd/rows/rows.hpp"

namespace astraweave::bindings {
namespace {

using decoder::Attention;
using decoder::KvPages;
using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;
using Sequences = std::vector<KvPages::Sequence>;
using Counts = std::vector<std::size_t>;

simd::KvKind kind_named(const std::string& name) {
  if (name == "f16") return simd::KvKind::kHalf;
  if (name == "int8") return simd::KvKind::kByte;
  throw Error(ErrorCode::kConfig,
              "keys and values are kept as 'f16' or 'int8', not '" + name + "'");
}

std::unique_ptr<KvPages> make(std::size_t layers, std::size_t kv_heads, std::size_t head_size,
                              std::size_t budget_bytes, std::size_t max_sequences,
                              std::size_t context_tokens, const std::string& kind) {
  return std::make_unique<KvPages>(decoder::KvShape{layers, kv_heads, head_size, kind_named(kind)},
                                   budget_bytes, max_sequences, context_tokens);
}

void append_all(KvPages& self, const Sequences& sequences, const Counts& counts) {
  if (sequences.size() != counts.size()) {
    throw Error(ErrorCode::kInput, "each sequence needs a count");
  }
  std::vector<KvPages::Growth> growths;
  for (std::size_t i = 0; i < counts.size(); ++i) growths.push_back({sequences[i], counts[i]});
  self.append(growths);
}

py::dict report(const KvPages& self) {
  const decoder::KvReport report = self.report();
  py::dict out;
  out["capacity_tokens"] = report.capacity_tokens;
  out["used_tokens"] = report.used_tokens;
  out["capacity_bytes"] = report.capacity_bytes;
  out["used_bytes"] = report.used_bytes;
  out["sequences"] = report.sequences;
  return out;
}

void check_shape(const FloatArray& array, const std::vector<std::size_t>& shape, const char* what) {
  bool right = array.ndim() == static_cast<py::ssize_t>(shape.size());
  std::string wanted;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    right = right &&
            array.shape(static_cast<py::ssize_t>(axis)) == static_cast<py::ssize_t>(shape[axis]);
    wanted += (axis > 0 ? ", " : "") + std::to_string(shape[axis]);
  }
  if (!right) throw Error(ErrorCode::kInput, std::string(what) + " must be (" + wanted + ")");
}

void check_layer(const KvPages& pages, std::size_t layer) {
  if (layer < pages.shape().layers) return;
  throw Error(ErrorCode::kInput, "there is no layer " + std::to_string(layer));
}

// What a sequence holds in a layer, as floats: keys and values, (tokens, KV heads, head size) each.
py::tuple read(const KvPages& self, KvPages::Sequence sequence, std::size_t layer) {
  check_layer(self, layer);
  const auto [layers, heads, size, kind] = self.shape();
  const std::size_t tokens = self.length(sequence);
  const auto pages = self.pages(sequence);
  py::array_t<float> keys({tokens, heads, size}), values({tokens, heads, size});
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t h = 0; h < heads; ++h) {
      const std::byte* block = self.block(pages[t / 16], layer, h);
      const auto* scales = reinterpret_cast<const float*>(block + 32 * size);
      const auto number = [&, kind = kind, size = size](std::size_t i, std::size_t scale) {
        return kind == simd::KvKind::kHalf
                   ? simd::from_half(reinterpret_cast<const std::uint16_t*>(block)[i])
                   : scales[scale] * reinterpret_cast<const std::int8_t*>(block)[i];
      };
      for (std::size_t d = 0; d < size; ++d) {
        keys.mutable_at(t, h, d) = number(d * 16 + t % 16, t % 16);
        values.mutable_at(t, h, d) = number((16 + t % 16) * size + d, 16 + t % 16);
      }
    }
  }
  return py::make_tuple(std::move(keys), std::move(values));
}

void run_items(Attention& attention, std::size_t layer, Attention::Rows queries, Attention::Out out,
               std::size_t threads) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    simd::AlignedVector<float> scratch(attention.scratch_floats());
    for (std::size_t i = next++; i < attention.items(); i = next++) {
      attention.run(i, layer, queries, out, scratch.data());
    }
  };
  std::vector<std::jthread> others;
  for (std::size_t t = 1; t < threads; ++t) others.emplace_back(work);
  work();
}

// Writes the last rows of some sequences and attends with them.
py::array_t<float> attend(KvPages& pages, std::size_t layer, const Sequences& sequences,
                          const Counts& counts, const FloatArray& queries, const FloatArray& keys,
                          const FloatArray& values, float scale, std::size_t threads) {
  check_layer(pages, layer);
  const decoder::KvShape& shape = pages.shape();
  if (sequences.size() != counts.size() || threads < 1 || threads > 64 || queries.ndim() != 3) {
    throw Error(ErrorCode::kInput,
                "attend needs a count for each sequence, queries (rows, heads, head size) and 1 to "
                "64 threads");
  }
  std::vector<Attention::Part> parts;
  std::size_t rows = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::size_t length = pages.length(sequences[i]);
    parts.push_back({sequences[i], length - std::min(length, counts[i]), counts[i]});
    rows += counts[i];
  }
  const auto heads = static_cast<std::size_t>(queries.shape(1));
  Attention attention(pages, heads, scale, threads);
  attention.prepare(parts);
  check_shape(queries, {rows, heads, shape.head_size}, "queries");
  check_shape(keys, {rows, shape.kv_heads, shape.head_size}, "keys");
  check_shape(values, {rows, shape.kv_heads, shape.head_size}, "values");
  py::array_t<float> out({rows, heads, shape.head_size});
  const Attention::Rows query_rows{queries.data(), heads * shape.head_size};
  const Attention::Rows key_rows{keys.data(), shape.kv_heads * shape.head_size};
  const Attention::Rows value_rows{values.data(), shape.kv_heads * shape.head_size};
  const Attention::Out out_rows{out.mutable_data(), heads * shape.head_size};
  const py::gil_scoped_release release;
  attention.write(layer, 0, rows, key_rows, value_rows);
  run_items(attention, layer, query_rows, out_rows, threads);
  return out;
}

py::array_t<float> rms_norm(const FloatArray& x, const FloatArray& weight, float epsilon) {
  const auto n = static_cast<std::size_t>(x.size());
  if (n == 0) throw Error(ErrorCode::kInput, "a row has one number at least");
  check_shape(x, {n}, "x");
  check_shape(weight, {n}, "weight");
  py::array_t<float> out(x.size());
  simd::row_kernels(simd::active_tier())
      .rms_norm(x.data(), weight.data(), epsilon, n, out.mutable_data());
  return out;
}

py::array_t<float> rope(const FloatArray& head, const FloatArray& cos, const FloatArray& sin) {
  const auto half = static_cast<std::size_t>(cos.size());
  check_shape(cos, {half}, "cos");
  check_shape(sin, {half}, "sin");
  check_shape(head, {2 * half}, "head");
  py::array_t<float> out(head.size());
  std::copy_n(head.data(), 2 * half, out.mutable_data());
  simd::row_kernels(simd::active_tier()).rope(out.mutable_data(), cos.data(), sin.data(), 2 * half);
  return out;
}

py::array_t<float> silu_multiply(const FloatArray& gate, const FloatArray& up) {
  const auto n = static_cast<std::size_t>(gate.size());
  check_shape(gate, {n}, "gate");
  check_shape(up, {n}, "up");
  py::array_t<float> out(gate.size());
  simd::row_kernels(simd::active_tier())
      .silu_multiply(gate.data(), up.data(), n, out.mutable_data());
  return out;
}

}  // namespace

void bind_kv(py::module_& module) {
  py::class_<KvPages>(module, "KvPages")
      .def(py::init(&make), py::kw_only(), py::arg("layers"), py::arg("kv_heads"),
           py::arg("head_size"), py::arg("budget_bytes"), py::arg("max_sequences"),
           py::arg("context_tokens"), py::arg("kind"))
      .def("open", &KvPages::open)
      .def("fork", &KvPages::fork, py::arg("sequence"), py::arg("tokens"))
      .def("append", &append_all, py::arg("sequences"), py::arg("counts"))
      .def("truncate", &KvPages::truncate, py::arg("sequence"), py::arg("tokens"))
      .def("release", &KvPages::release, py::arg("sequence"))
      .def("length", &KvPages::length, py::arg("sequence"))
      .def(
          "pages",
          [](const KvPages& self, KvPages::Sequence sequence) {
            const auto pages = self.pages(sequence);
            return std::vector<KvPages::Page>(pages.begin(), pages.end());
          },
          py::arg("sequence"))
      .def("read", &read, py::arg("sequence"), py::arg("layer"))
      .def("report", &report);
  module.def("attend", &attend, py::arg("pages"), py::kw_only(), py::arg("layer"),
             py::arg("sequences"), py::arg("counts"), py::arg("queries"), py::arg("keys"),
             py::arg("values"), py::arg("scale"), py::arg("threads"));
  module.def("rms_norm", &rms_norm, py::arg("x"), py::arg("weight"), py::arg("epsilon"));
  module.def("rope", &rope, py::arg("head"), py::arg("cos"), py::arg("sin"));
  module.def("silu_multiply", &silu_multiply, py::arg("gate"), py::arg("up"));
}

}  // namespace astraweave::bindings
