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

using TagArray = py::array_t<index::Tags, py::array::c_style | py::array::forcecast>;

void insert(FlatIndex& self, const IdArray& ids, const FloatArray& vectors,
            const std::optional<TagArray>& tags) {
  const auto span = ids_of(ids);
  check_shape(vectors, static_cast<py::ssize_t>(span.size()), self);
  const float* data = vectors.data();
  std::span<const index::Tags> each;
  if (tags) {
    if (tags->ndim() != 1) throw Error(ErrorCode::kInput, "tags must be a flat sequence");
    each = {tags->data(), static_cast<std::size_t>(tags->size())};
    if (each.size() != span.size()) {
      throw Error(ErrorCode::kInput, "there are " + std::to_string(span.size()) + " ids and " +
                                         std::to_string(each.size()) + " tags");
    }
  }
  const py::gil_scoped_release release;
  self.insert(span, data, each);
}

void update(FlatIndex& self, index::Id id, const FloatArray& vector,
            std::optional<index::Tags> tags) {
  check_shape(vector, -1, self);
  const float* data = vector.data();
  const py::gil_scoped_release release;
  self.update(id, data, tags);
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

index::Scope scope_of(const std::optional<IdArray>& allowed, std::optional<index::Tags> any_tags) {
  index::Scope scope;
  if (allowed) scope.ids = ids_of(*allowed);
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

py::tuple search(const FlatIndex& self, const FloatArray& query, std::size_t k,
                 const std::optional<IdArray>& allowed, std::optional<index::Tags> any_tags) {
  check_shape(query, -1, self);
  const float* data = query.data();
  const index::Scope scope = scope_of(allowed, any_tags);
  std::vector<index::Hit> hits;
  {
    const py::gil_scoped_release release;
    hits = self.search(data, k, scope);
  }
  return as_arrays(hits, static_cast<py::ssize_t>(hits.size()));
}

// A tuple of a type that adds nothing to tuple but names.
py::object as_kind(PyTypeObject* kind, const index::Hit& hit) {
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
PyObject* nearest(PyObject* object, PyObject* const* arguments, Py_ssize_t count) try {
  const FloatArray query = count == 3 ? FloatArray::ensure(arguments[0]) : FloatArray();
  auto* kind = count == 3 ? reinterpret_cast<PyTypeObject*>(arguments[2]) : nullptr;
  if (kind == nullptr || !query || !PyType_Check(arguments[2]) ||
      PyType_IsSubtype(kind, &PyTuple_Type) == 0) {
    throw Error(ErrorCode::kInput, "nearest takes a query, k and a kind of tuple");
  }
  const auto& self = py::reinterpret_borrow<py::object>(object).cast<const FlatIndex&>();
  const std::size_t k = PyLong_AsSize_t(arguments[1]);
  if (PyErr_Occurred() != nullptr) return nullptr;
  check_shape(query, -1, self);
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

py::tuple search_many(const FlatIndex& self, const FloatArray& queries, std::size_t k,
                      const std::optional<IdArray>& allowed, std::optional<index::Tags> any_tags,
                      std::size_t threads) {
  const py::ssize_t m = queries.ndim() > 0 ? queries.shape(0) : 0;
  check_shape(queries, m, self);
  const float* data = queries.data();
  const index::Scope scope = scope_of(allowed, any_tags);
  index::Hits hits;
  {
    const py::gil_scoped_release release;
    hits = self.search_many(data, static_cast<std::size_t>(m), k, scope, threads);
  }
  return as_arrays(hits.all, std::vector<py::ssize_t>{m, static_cast<py::ssize_t>(hits.per_query)});
}

py::array_t<float> scores(const FlatIndex& self, const FloatArray& query, const IdArray& ids) {
  check_shape(query, -1, self);
  const float* data = query.data();
  const auto wanted = ids_of(ids);
  py::array_t<float> out(static_cast<py::ssize_t>(wanted.size()));
  float* to = out.mutable_data();
  {
    const py::gil_scoped_release release;
    self.scores(data, wanted, to);
  }
  return out;
}

py::array_t<index::Id> ids(const FlatIndex& self) {
  std::vector<index::Id> found;
  {
    const py::gil_scoped_release release;
    found = self.ids();
  }
  return py::array_t<index::Id>(static_cast<py::ssize_t>(found.size()), found.data());
}

// Written straight into the object that Python gets; only making that needs the interpreter.
py::bytes to_bytes(const FlatIndex& self) {
  PyObject* bytes = nullptr;
  {
    const py::gil_scoped_release release;
    self.to_bytes([&bytes](std::size_t size) {
      const py::gil_scoped_acquire acquire;
      bytes = PyBytes_FromStringAndSize(nullptr, static_cast<py::ssize_t>(size));
      if (bytes == nullptr) throw py::error_already_set();
      return PyBytes_AS_STRING(bytes);
    });
  }
  return py::reinterpret_steal<py::bytes>(bytes);
}

std::unique_ptr<FlatIndex> from_bytes(const py::bytes& data) {
  const std::string_view bytes = data;
  const py::gil_scoped_release release;
  return FlatIndex::from_bytes(bytes);
}

}  // namespace

void bind_index(py::module_& module) {
  using Release = py::call_guard<py::gil_scoped_release>;
  py::class_<FlatIndex> type(module, "FlatIndex");
  type.def(py::init([](std::size_t dims, const std::string& metric, const std::string& storage) {
             return std::make_unique<FlatIndex>(dims, index::parse_metric(metric),
                                                index::parse_storage(storage));
           }),
           py::arg("dimensions"), py::arg("metric"), py::arg("storage") = "float32")
      .def_property_readonly("dimensions", &FlatIndex::dims)
      .def_property_readonly(
          "metric", [](const FlatIndex& self) { return index::metric_name(self.metric()); })
      .def_property_readonly(
          "storage", [](const FlatIndex& self) { return index::storage_name(self.storage()); })
      .def("insert", &insert, py::arg("ids"), py::arg("vectors"), py::arg("tags") = py::none())
      .def("update", &update, py::arg("id"), py::arg("vector"), py::arg("tags") = py::none())
      .def("set_tags", &FlatIndex::set_tags, py::arg("id"), py::arg("tags"), Release())
      .def("tags", &FlatIndex::tags, py::arg("id"), Release())
      .def("remove", &FlatIndex::remove, py::arg("id"), Release())
      .def("get", &get, py::arg("id"))
      .def("search", &search, py::arg("query"), py::arg("k"), py::arg("allowed") = py::none(),
           py::arg("any_tags") = py::none())
      .def("search_many", &search_many, py::arg("queries"), py::arg("k"),
           py::arg("allowed") = py::none(), py::arg("any_tags") = py::none(),
           py::arg("threads") = 1)
      .def("scores", &scores, py::arg("query"), py::arg("ids"))
      .def("ids", &ids)
      .def("__len__", &FlatIndex::size, Release())
      .def("__contains__", &FlatIndex::contains, py::arg("id"), Release())
      .def("to_bytes", &to_bytes)
      .def_static("from_bytes", &from_bytes, py::arg("data"))
      .def("save", &FlatIndex::save, py::arg("path"), Release())
      .def_static("load", &FlatIndex::load, py::arg("path"), Release());
  add_method(type, "nearest", &nearest);
}

}  // namespace astraweave::bindings
