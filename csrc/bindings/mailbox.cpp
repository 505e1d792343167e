// post() is called for every piece of text and deliver() once a frame, so they are plain C
// functions of the type.
//
// A mailbox holds a reference to each object that waits in it. It takes part in garbage collection:
// a delivery may hold the world that holds the mailbox. The collector looks while nobody posts, for
// every call here holds the GIL, and without a GIL the collector stops the threads.
#include "mailbox/mailbox.hpp"

#include <chrono>
#include <new>

#include "bindings/bindings.hpp"
#include "error.hpp"

namespace astraweave::bindings {
namespace {

using Clock = std::chrono::steady_clock;

struct PyMailbox {
  mailbox::Mailbox box;

  PyMailbox() = default;
  PyMailbox(const PyMailbox&) = delete;
  PyMailbox& operator=(const PyMailbox&) = delete;
  ~PyMailbox() { clear(); }

  void clear() {
    while (void* item = box.take()) Py_DECREF(static_cast<PyObject*>(item));
  }
};

PyMailbox* value_of(PyObject* self) {
  auto* instance = reinterpret_cast<py::detail::instance*>(self);
  return static_cast<PyMailbox*>(instance->get_value_and_holder().value_ptr());
}

PyObject* usage_error(const char* message) {
  const py::object type = py::module_::import("astraweave.errors").attr("UsageError");
  PyErr_SetString(type.ptr(), message);
  return nullptr;
}

PyMailbox* self_of(PyObject* self) {
  PyMailbox* mailbox = value_of(self);
  if (mailbox == nullptr) usage_error("the mailbox was never set up: call super().__init__()");
  return mailbox;
}

// post(item, lane=0): whether somebody has to be woken.
PyObject* post(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  if (count < 1 || count > 2) return usage_error("post takes an item and a lane");
  PyMailbox* mailbox = self_of(self);
  if (mailbox == nullptr) return nullptr;
  std::size_t lane = 0;
  if (count == 2) {
    lane = PyLong_AsSize_t(arguments[1]);
    if (PyErr_Occurred() != nullptr) return nullptr;
    if (lane >= mailbox::kLanes) return usage_error("there is no such lane");
  }
  Py_INCREF(arguments[0]);
  try {
    return PyBool_FromLong(static_cast<long>(mailbox->box.post(arguments[0], lane)));
  } catch (...) {
    Py_DECREF(arguments[0]);
    set_python_error();
    return nullptr;
  }
}

// deliver(budget_ns): calls what waits until nothing does or the time is spent (below 0: never),
// one at least; how many were called. What one raises is raised; the others still wait.
PyObject* deliver(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  if (count != 1) return usage_error("deliver takes a budget in nanoseconds");
  PyMailbox* mailbox = self_of(self);
  if (mailbox == nullptr) return nullptr;
  const long long budget = PyLong_AsLongLong(arguments[0]);
  if (budget == -1 && PyErr_Occurred() != nullptr) return nullptr;
  const Clock::time_point start = Clock::now();
  long delivered = 0;
  while (void* item = mailbox->box.take()) {
    auto* delivery = static_cast<PyObject*>(item);
    PyObject* result = PyObject_CallNoArgs(delivery);
    Py_DECREF(delivery);
    if (result == nullptr) return nullptr;
    Py_DECREF(result);
    ++delivered;
    if (budget >= 0 && Clock::now() - start >= std::chrono::nanoseconds(budget)) break;
  }
  return PyLong_FromLong(delivered);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  int result = 0;
  if (const PyMailbox* mailbox = value_of(self)) {
    mailbox->box.each([&](void* item) {
      if (result == 0) result = visit(static_cast<PyObject*>(item), arg);
    });
  }
  return result;
}

int clear(PyObject* self) {
  if (PyMailbox* mailbox = value_of(self)) mailbox->clear();
  return 0;
}

}  // namespace

void bind_mailbox(py::module_& module) {
  py::class_<PyMailbox> type(module, "Mailbox", py::custom_type_setup([](PyHeapTypeObject* heap) {
                               heap->ht_type.tp_flags |= Py_TPFLAGS_HAVE_GC;
                               heap->ht_type.tp_traverse = &traverse;
                               heap->ht_type.tp_clear = &clear;
                             }));
  type.def(py::init<>())
      .def("__len__", [](const PyMailbox& self) { return self.box.size(); })
      .def("arm", [](PyMailbox& self) { return self.box.arm(); })
      .def("counts", [](const PyMailbox& self) {
        py::list counts;
        for (std::size_t lane = 0; lane < mailbox::kLanes; ++lane) {
          counts.append(py::make_tuple(self.box.posted(lane), self.box.taken(lane)));
        }
        return counts;
      });
  type.attr("LANES") = mailbox::kLanes;
  add_method(type, "post", &post);
  add_method(type, "deliver", &deliver);
}

}  // namespace astraweave::bindings
