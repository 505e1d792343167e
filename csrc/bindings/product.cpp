#include "simd/product/product.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "bindings/bindings.hpp"
#include "error.hpp"
#include "simd/cache_line.hpp"

namespace astraweave::bindings {
namespace {

using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;
using Bytes = py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>;

// x[r][k] times a quantised matrix, in panels of its own; zeros None: 128.
py::array_t<float> multiply_codes(const Floats& x, const Bytes& codes, const Floats& scales,
                                  const std::optional<Bytes>& zeros) {
  const auto fits = [&](const py::array& a, py::ssize_t rows, py::ssize_t columns) {
    return a.ndim() == 2 && a.shape(0) == rows && a.shape(1) == columns;
  };
  const py::ssize_t n = x.ndim() == 2 ? x.shape(0) : 0, columns = x.ndim() == 2 ? x.shape(1) : 0;
  const py::ssize_t outputs = codes.ndim() == 2 ? codes.shape(0) : 0;
  constexpr py::ssize_t kBlock = simd::kProductBlock;
  if (x.ndim() != 2 || columns % kBlock != 0 || !fits(codes, outputs, columns) ||
      !fits(scales, outputs, columns / kBlock) ||
      (zeros && !fits(*zeros, outputs, columns / kBlock))) {
    throw Error(ErrorCode::kInput,
                "x (n, k), codes (m, k), scales and zeros (m, k / 32) are needed, k in 32s");
  }
  const simd::ProductKernels kernels = simd::product_kernels(simd::active_tier());
  simd::Panels panels{nullptr, static_cast<std::size_t>(outputs),
                      static_cast<std::size_t>(columns)};
  simd::AlignedVector<std::uint8_t> memory(panels.bytes());
  panels.data = memory.data();
  simd::pack_outputs(memory.data(), panels.columns, 0, panels.outputs, codes.data(), scales.data(),
                     zeros ? zeros->data() : nullptr);
  const std::size_t row_bytes = kernels.quantised_bytes(panels.columns);
  const auto rows = static_cast<std::size_t>(n);
  simd::AlignedVector<std::byte> quantised(rows * row_bytes);
  for (std::size_t r = 0; r < rows; ++r) {
    kernels.quantise(x.data() + r * panels.columns, 0, panels.columns,
                     quantised.data() + r * row_bytes);
  }
  const std::size_t stride = panels.count() * simd::kPanelOutputs;
  std::vector<float> padded(rows * stride);
  kernels.multiply(panels, 0, panels.count(), quantised.data(), row_bytes, rows, padded.data(),
                   stride, false);
  py::array_t<float> result({n, outputs});
  for (std::size_t r = 0; r < rows; ++r) {
    std::copy_n(padded.data() + r * stride, panels.outputs,
                result.mutable_data() + r * panels.outputs);
  }
  return result;
}

}  // namespace

void bind_product(py::module_& module) {
  module.def("multiply_codes", &multiply_codes, py::arg("x"), py::arg("codes"), py::arg("scales"),
             py::arg("zeros") = py::none());
}

}  // namespace astraweave::bindings
