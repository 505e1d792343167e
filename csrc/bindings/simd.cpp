#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "bindings/bindings.hpp"
#include "error.hpp"
#include "index/coded_cosines.hpp"
#include "simd/codes/codes.hpp"
#include "simd/dot/dot.hpp"
#include "simd/l2/l2.hpp"
#include "simd/scan/scan.hpp"
#include "simd/tier.hpp"

namespace astraweave::bindings {
namespace {

using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;

std::size_t common_length(const char* what, const FloatArray& a, const FloatArray& b) {
  if (a.ndim() != 1 || b.ndim() != 1 || a.size() != b.size()) {
    throw Error(ErrorCode::kInput, std::string(what) + " needs two vectors of one length, got " +
                                       std::to_string(a.size()) + " and " +
                                       std::to_string(b.size()) + " numbers");
  }
  return static_cast<std::size_t>(a.size());
}

float dot(const FloatArray& a, const FloatArray& b) {
  const std::size_t n = common_length("dot", a, b);
  const float* left = a.data();
  const float* right = b.data();
  const py::gil_scoped_release release;
  return simd::dot_f32_kernel(simd::active_tier())(left, right, n);
}

float l2_squared(const FloatArray& a, const FloatArray& b) {
  const std::size_t n = common_length("l2_squared", a, b);
  const float* left = a.data();
  const float* right = b.data();
  const py::gil_scoped_release release;
  return simd::l2_f32_kernel(simd::active_tier())(left, right, n);
}

template <class T>
using Array = py::array_t<T, py::array::c_style | py::array::forcecast>;

template <class T, auto kKernel>
py::array_t<float> scan(const FloatArray& query, const Array<T>& rows) {
  if (query.ndim() != 1 || rows.ndim() != 2 || rows.shape(1) != query.size()) {
    throw Error(ErrorCode::kInput, "a scan needs a query (n) and rows (m, n)");
  }
  const auto n = static_cast<std::size_t>(rows.shape(0));
  const auto dims = static_cast<std::size_t>(query.size());
  py::array_t<float> scores(rows.shape(0));
  const T* from = rows.data();
  const float* wanted = query.data();
  float* out = scores.mutable_data();
  {
    const py::gil_scoped_release release;
    kKernel(simd::active_tier())(wanted, from, dims, n, dims, out);
  }
  return scores;
}

py::array_t<std::int32_t> gather_codes(const Array<std::int8_t>& query,
                                       const Array<std::uint8_t>& rows,
                                       const Array<std::uint32_t>& slots) {
  const bool shaped = query.ndim() == 1 && rows.ndim() == 2 && slots.ndim() == 1 &&
                      rows.shape(1) == query.size() && query.size() <= 65536;
  if (!shaped) {
    throw Error(ErrorCode::kInput, "a gather needs a query (n), rows (m, n) and slots (s)");
  }
  for (py::ssize_t i = 0; i < slots.size(); ++i) {
    if (slots.at(i) >= rows.shape(0)) throw Error(ErrorCode::kInput, "there is no such row");
  }
  const auto dims = static_cast<std::size_t>(query.size());
  py::array_t<std::int32_t> sums(slots.size());
  simd::gather_codes_kernel(simd::active_tier())(query.data(), rows.data(), dims, slots.data(),
                                                 static_cast<std::size_t>(slots.size()), dims,
                                                 sums.mutable_data());
  return sums;
}

py::array_t<std::int32_t> scan_codes(const Array<std::int8_t>& queries,
                                     const Array<std::uint8_t>& rows) {
  const bool shaped = queries.ndim() == 2 && rows.ndim() == 2 &&
                      rows.shape(1) % simd::kCodeBlock == 0 && queries.shape(1) <= rows.shape(1) &&
                      rows.shape(1) < queries.shape(1) + static_cast<py::ssize_t>(simd::kCodeBlock);
  if (!shaped) {
    throw Error(ErrorCode::kInput, "a scan needs queries (m, n) and rows (r, n rounded up to 64)");
  }
  const auto dims = static_cast<std::size_t>(queries.shape(1));
  std::vector<simd::CodeQuery> prepared;
  for (py::ssize_t q = 0; q < queries.shape(0); ++q) {
    const std::span<const std::int8_t> numbers(queries.data(q, 0), dims);
    for (const int number : numbers) {
      if (std::abs(number) > simd::CodeQuery::kMost) {
        throw Error(ErrorCode::kInput, "the numbers of a query are -31 to 31");
      }
    }
    prepared.emplace_back(numbers);
  }
  py::array_t<std::int32_t> sums({queries.shape(0), rows.shape(0)});
  simd::scan_codes_kernel(simd::active_tier())(
      prepared.data(), prepared.size(), rows.data(), static_cast<std::size_t>(rows.shape(1)),
      static_cast<std::size_t>(rows.shape(0)), sums.mutable_data());
  return sums;
}

py::array_t<float> coded_cosines(const Array<float>& query, const Array<std::uint8_t>& rows,
                                 const Array<float>& scales) {
  const auto block = static_cast<py::ssize_t>(simd::kCodeBlock);
  const bool shaped = query.ndim() == 1 && rows.ndim() == 2 && scales.ndim() == 1 &&
                      rows.shape(0) == scales.shape(0) &&
                      rows.shape(1) == (query.shape(0) + block - 1) / block * block;
  if (!shaped) {
    throw Error(ErrorCode::kInput,
                "cosines need a query (n), rows (r, n rounded up to 64) and factors (r)");
  }
  const std::span<const float> numbers(query.data(), static_cast<std::size_t>(query.size()));
  for (const float number : numbers) {
    if (!std::isfinite(number)) throw Error(ErrorCode::kInput, "a query must be finite");
  }
  py::array_t<float> cosines(rows.shape(0));
  float* to = cosines.mutable_data();
  const py::gil_scoped_release release;
  index::coded_cosines(numbers, rows.data(), scales.data(), static_cast<std::size_t>(rows.shape(0)),
                       to);
  return cosines;
}

}  // namespace

void bind_simd(py::module_& module) {
  module.def("dot", &dot, py::arg("a"), py::arg("b"));
  module.def("l2_squared", &l2_squared, py::arg("a"), py::arg("b"));
  module.def("scan_dot", &scan<float, simd::scan_dot_f32_kernel>, py::arg("query"),
             py::arg("rows"));
  module.def("scan_l2", &scan<float, simd::scan_l2_f32_kernel>, py::arg("query"), py::arg("rows"));
  module.def("scan_dot_half", &scan<std::uint16_t, simd::scan_dot_f16_kernel>, py::arg("query"),
             py::arg("rows"));
  module.def("scan_l2_half", &scan<std::uint16_t, simd::scan_l2_f16_kernel>, py::arg("query"),
             py::arg("rows"));
  module.def("gather_codes", &gather_codes, py::arg("query"), py::arg("rows"), py::arg("slots"));
  module.def("coded_cosines", &coded_cosines, py::arg("query"), py::arg("rows"), py::arg("scales"));
  module.def("scan_codes", &scan_codes, py::arg("queries"), py::arg("rows"));
  module.def("simd_tier", [] { return std::string(simd::tier_name(simd::active_tier())); });
  module.def("simd_tiers", [] {
    std::vector<std::string> names;
    for (const simd::Tier tier : simd::available_tiers()) {
      names.emplace_back(simd::tier_name(tier));
    }
    return py::tuple(py::cast(names));
  });
  module.def("force_simd_tier", &simd::force_tier, py::arg("name"));
  simd::active_tier();  // a wrong ASTRAWEAVE_SIMD is reported here, at import, not in a frame
}

}  // namespace astraweave::bindings
