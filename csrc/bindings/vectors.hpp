// What the bindings of both vector indexes share: arrays in and out, and the calls that are the
// same.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bindings/bindings.hpp"
#include "error.hpp"
#include "index/flat_index.hpp"

namespace astraweave::bindings {

template <class T>
using Array = py::array_t<T, py::array::c_style | py::array::forcecast>;
using FloatArray = Array<float>;
using IdArray = Array<index::Id>;
using TagArray = Array<index::Tags>;

// rows < 0: one vector.
inline void check_shape(const FloatArray& array, py::ssize_t rows, std::size_t dimensions) {
  const auto dims = static_cast<py::ssize_t>(dimensions);
  const bool right = rows < 0 ? array.ndim() == 1 && array.shape(0) == dims
                              : array.ndim() == 2 && array.shape(0) == rows &&
                                    (array.shape(1) == dims || rows == 0);
  if (right) return;
  std::string got;
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
    got += (axis > 0 ? ", " : "") + std::to_string(array.shape(axis));
  }
  const std::string want = (rows < 0 ? "" : std::to_string(rows) + ", ") + std::to_string(dims);
  throw Error(ErrorCode::kInput, "vectors of shape (" + want + ") are needed, got (" + got + ")");
}

template <class T>
std::span<const T> flat(const Array<T>& values, const char* what) {
  if (values.ndim() != 1) {
    throw Error(ErrorCode::kInput, std::string(what) + " must be a flat sequence");
  }
  return {values.data(), static_cast<std::size_t>(values.size())};
}

// As many as there are ids, or none.
inline std::span<const index::Tags> tags_of(const std::optional<TagArray>& tags, std::size_t ids) {
  if (!tags) return {};
  const auto each = flat(*tags, "tags");
  if (each.size() != ids) {
    throw Error(ErrorCode::kInput, "there are " + std::to_string(ids) + " ids and " +
                                       std::to_string(each.size()) + " tags");
  }
  return each;
}

inline index::Scope scope_of(const std::optional<IdArray>& allowed,
                             std::optional<index::Tags> any_tags) {
  index::Scope scope;
  if (allowed) scope.ids = flat(*allowed, "ids");
  scope.any_tags = any_tags;
  return scope;
}

// Hits as two arrays of a shape.
template <class Shape>
py::tuple as_arrays(const std::vector<index::Hit>& hits, const Shape& shape) {
  py::array_t<index::Id> ids(shape);
  py::array_t<float> scores(shape);
  index::Id* id = ids.mutable_data();
  float* score = scores.mutable_data();
  for (const index::Hit& hit : hits) {
    *id++ = hit.id;
    *score++ = hit.score;
  }
  return py::make_tuple(std::move(ids), std::move(scores));
}

template <class Index>
void update_row(Index& self, index::Id id, const FloatArray& vector,
                std::optional<index::Tags> tags) {
  check_shape(vector, -1, self.dims());
  const float* data = vector.data();
  const py::gil_scoped_release release;
  self.update(id, data, tags);
}

template <class Index>
py::object get_row(const Index& self, index::Id id) {
  py::array_t<float> out(static_cast<py::ssize_t>(self.dims()));
  float* data = out.mutable_data();
  bool found = false;
  {
    const py::gil_scoped_release release;
    found = self.get(id, data);
  }
  return found ? py::object(std::move(out)) : py::object(py::none());
}

template <class Index>
py::array_t<float> scores_of(const Index& self, const FloatArray& query, const IdArray& ids) {
  check_shape(query, -1, self.dims());
  const float* data = query.data();
  const auto wanted = flat(ids, "ids");
  py::array_t<float> out(static_cast<py::ssize_t>(wanted.size()));
  float* to = out.mutable_data();
  {
    const py::gil_scoped_release release;
    self.scores(data, wanted, to);
  }
  return out;
}

template <class Index>
py::array_t<index::Id> ids_of(const Index& self) {
  std::vector<index::Id> found;
  {
    const py::gil_scoped_release release;
    found = self.ids();
  }
  return py::array_t<index::Id>(static_cast<py::ssize_t>(found.size()), found.data());
}

template <class Index>
std::unique_ptr<Index> index_from_bytes(const py::bytes& data) {
  const std::string_view bytes = data;
  const py::gil_scoped_release release;
  return Index::from_bytes(bytes);
}

// A tuple of a type that adds nothing to tuple but names.
inline py::object as_kind(PyTypeObject* kind, const index::Hit& hit) {
  const py::int_ id(hit.id);
  const py::float_ score(hit.score);
  auto made = py::reinterpret_steal<py::object>(kind->tp_alloc(kind, 2));
  if (!made) throw py::error_already_set();
  PyTuple_SET_ITEM(made.ptr(), 0, id.inc_ref().ptr());
  PyTuple_SET_ITEM(made.ptr(), 1, score.inc_ref().ptr());
  return made;
}

// nearest(query, k, kind): search() without a scope, as a list of `kind`, which is a named tuple. A
// plain C function: among few vectors pybind11's calls and two arrays cost as much as the search.
template <class Index>
PyObject* nearest(PyObject* object, PyObject* const* arguments, Py_ssize_t count) try {
  const FloatArray query = count == 3 ? FloatArray::ensure(arguments[0]) : FloatArray();
  auto* kind = count == 3 ? reinterpret_cast<PyTypeObject*>(arguments[2]) : nullptr;
  if (kind == nullptr || !query || !PyType_Check(arguments[2]) ||
      PyType_IsSubtype(kind, &PyTuple_Type) == 0) {
    throw Error(ErrorCode::kInput, "nearest takes a query, k and a kind of tuple");
  }
  const auto& self = py::reinterpret_borrow<py::object>(object).cast<const Index&>();
  const std::size_t k = PyLong_AsSize_t(arguments[1]);
  if (PyErr_Occurred() != nullptr) return nullptr;
  check_shape(query, -1, self.dims());
  const float* data = query.data();
  std::vector<index::Hit> hits;
  {
    const py::gil_scoped_release release;
    hits = self.search(data, k);
  }
  py::list found(hits.size());
  for (std::size_t i = 0; i < hits.size(); ++i) {
    PyList_SET_ITEM(found.ptr(), static_cast<Py_ssize_t>(i),
                    as_kind(kind, hits[i]).release().ptr());
  }
  return found.release().ptr();
} catch (py::error_already_set& error) {
  error.restore();
  return nullptr;
} catch (...) {
  set_python_error();
  return nullptr;
}

// What both classes have under one name.
template <class Index>
void define_common(py::class_<Index>& type) {
  using Release = py::call_guard<py::gil_scoped_release>;
  type.def_property_readonly("dimensions", &Index::dims)
      .def_property_readonly("metric",
                             [](const Index& self) { return index::metric_name(self.metric()); })
      .def_property_readonly("storage",
                             [](const Index& self) { return index::storage_name(self.storage()); })
      .def("update", &update_row<Index>, py::arg("id"), py::arg("vector"),
           py::arg("tags") = py::none())
      .def("set_tags", &Index::set_tags, py::arg("id"), py::arg("tags"), Release())
      .def("tags", &Index::tags, py::arg("id"), Release())
      .def("remove", &Index::remove, py::arg("id"), Release())
      .def("get", &get_row<Index>, py::arg("id"))
      .def("scores", &scores_of<Index>, py::arg("query"), py::arg("ids"))
      .def("ids", &ids_of<Index>)
      .def("__len__", &Index::size, Release())
      .def("__contains__", &Index::contains, py::arg("id"), Release())
      .def_static("from_bytes", &index_from_bytes<Index>, py::arg("data"))
      .def("save", &Index::save, py::arg("path"), Release())
      .def_static("load", &Index::load, py::arg("path"), Release());
  add_method(type, "nearest", &nearest<Index>);
}

}  // namespace astraweave::bindings
