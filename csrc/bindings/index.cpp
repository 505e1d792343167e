#include <pybind11/stl/filesystem.h>

#include "bindings/bindings.hpp"
#include "error.hpp"
#include "index/flat_index.hpp"

namespace astraweave::bindings {
namespace {

using index::FlatIndex;
using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;
using IdArray = py::array_t<index::Id, py::array::c_style | py::array::forcecast>;

void check_shape(const FloatArray& array, py::ssize_t rows, const FlatIndex& self) {
  const auto dims = static_cast<py::ssize_t>(self.dims());
  const bool right = rows < 0 ? array.ndim() == 1 && array.shape(0) == dims
                              : array.ndim() == 2 && array.shape(0) == rows &&
                                    (array.shape(1) == dims || rows == 0);
  if (right) return;
  std::string got = "(";
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
    got += (axis > 0 ? ", " : "") + std::to_string(array.shape(axis));
  }
  const std::string want = rows < 0
                               ? "(" + std::to_string(dims) + ")"
                               : "(" + std::to_string(rows) + ", " + std::to_string(dims) + ")";
  throw Error(ErrorCode::kInput, "vectors of shape " + want + " are needed, got " + got + ")");
}

std::span<const index::Id> ids_of(const IdArray& ids) {
  if (ids.ndim() != 1) throw Error(ErrorCode::kInput, "ids must be a flat sequence");
  return {ids.data(), static_cast<std::size_t>(ids.size())};
}

void insert(FlatIndex& self, const IdArray& ids, const FloatArray& vectors) {
  const auto span = ids_of(ids);
  check_shape(vectors, static_cast<py::ssize_t>(span.size()), self);
  const float* data = vectors.data();
  const py::gil_scoped_release release;
  self.insert(span, data);
}

void update(FlatIndex& self, index::Id id, const FloatArray& vector) {
  check_shape(vector, -1, self);
  const float* data = vector.data();
  const py::gil_scoped_release release;
  self.update(id, data);
}

py::object get(const FlatIndex& self, index::Id id) {
  py::array_t<float> out(static_cast<py::ssize_t>(self.dims()));
  float* data = out.mutable_data();
  bool found = false;
  {
    const py::gil_scoped_release release;
    found = self.get(id, data);
  }
  return found ? py::object(std::move(out)) : py::object(py::none());
}

py::tuple search(const FlatIndex& self, const FloatArray& query, std::size_t k,
                 const std::optional<IdArray>& allowed) {
  check_shape(query, -1, self);
  const float* data = query.data();
  std::optional<std::span<const index::Id>> only;
  if (allowed) only = ids_of(*allowed);
  std::vector<index::Hit> hits;
  {
    const py::gil_scoped_release release;
    hits = self.search(data, k, only);
  }
  const auto n = static_cast<py::ssize_t>(hits.size());
  py::array_t<index::Id> ids(n);
  py::array_t<float> scores(n);
  for (py::ssize_t i = 0; i < n; ++i) {
    ids.mutable_at(i) = hits[static_cast<std::size_t>(i)].id;
    scores.mutable_at(i) = hits[static_cast<std::size_t>(i)].score;
  }
  return py::make_tuple(std::move(ids), std::move(scores));
}

py::array_t<index::Id> ids(const FlatIndex& self) {
  std::vector<index::Id> found;
  {
    const py::gil_scoped_release release;
    found = self.ids();
  }
  return py::array_t<index::Id>(static_cast<py::ssize_t>(found.size()), found.data());
}

py::bytes to_bytes(const FlatIndex& self) {
  std::string bytes;
  {
    const py::gil_scoped_release release;
    bytes = self.to_bytes();
  }
  return py::bytes(bytes);
}

std::unique_ptr<FlatIndex> from_bytes(const py::bytes& data) {
  const std::string_view bytes = data;
  const py::gil_scoped_release release;
  return FlatIndex::from_bytes(bytes);
}

}  // namespace

void bind_index(py::module_& module) {
  using Release = py::call_guard<py::gil_scoped_release>;
  py::class_<FlatIndex>(module, "FlatIndex")
      .def(py::init([](std::size_t dims, const std::string& metric) {
             return std::make_unique<FlatIndex>(dims, index::parse_metric(metric));
           }),
           py::arg("dimensions"), py::arg("metric"))
      .def_property_readonly("dimensions", &FlatIndex::dims)
      .def_property_readonly(
          "metric", [](const FlatIndex& self) { return index::metric_name(self.metric()); })
      .def("insert", &insert, py::arg("ids"), py::arg("vectors"))
      .def("update", &update, py::arg("id"), py::arg("vector"))
      .def("remove", &FlatIndex::remove, py::arg("id"), Release())
      .def("get", &get, py::arg("id"))
      .def("search", &search, py::arg("query"), py::arg("k"), py::arg("allowed") = py::none())
      .def("ids", &ids)
      .def("__len__", &FlatIndex::size, Release())
      .def("__contains__", &FlatIndex::contains, py::arg("id"), Release())
      .def("to_bytes", &to_bytes)
      .def_static("from_bytes", &from_bytes, py::arg("data"))
      .def("save", &FlatIndex::save, py::arg("path"), Release())
      .def_static("load", &FlatIndex::load, py::arg("path"), Release());
}

}  // namespace astraweave::bindings
