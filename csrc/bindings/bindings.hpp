// What the files of bindings/ share. Each engine has one file with one bind_*(module) function.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace astraweave::bindings {

namespace py = pybind11;

// Sets the Python exception for the C++ one that is being handled, for code that pybind11 does not
// call; only for Error and what the standard library throws.
void set_python_error() noexcept;
// Adds a plain C function to a type, for what is called so often that pybind11's own way of calling
// costs too much. It takes the object and its arguments, by position.
using FastMethod = PyObject* (*)(PyObject* self, PyObject* const* arguments, Py_ssize_t count);
void add_method(const py::object& type, const char* name, FastMethod function);

void register_errors(py::module_& module);
void bind_graph(py::module_& module);
void bind_cache(py::module_& module);
void bind_decoder(py::module_& module);
void bind_index(py::module_& module);
void bind_product(py::module_& module);
void bind_mailbox(py::module_& module);
void bind_kv(py::module_& module);
void bind_simd(py::module_& module);
void bind_tokens(py::module_& module);
void bind_words(py::module_& module);

}  // namespace astraweave::bindings
