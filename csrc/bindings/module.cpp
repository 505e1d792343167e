#include "bindings/bindings.hpp"

PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used()) {
  module.doc() = "Native core of astraweave; import it through astraweave._native.";
  astraweave::bindings::register_errors(module);
  astraweave::bindings::bind_graph(module);
  astraweave::bindings::bind_cache(module);
  astraweave::bindings::bind_decoder(module);
  astraweave::bindings::bind_index(module);
  astraweave::bindings::bind_product(module);
  astraweave::bindings::bind_mailbox(module);
  astraweave::bindings::bind_kv(module);
  astraweave::bindings::bind_simd(module);
  astraweave::bindings::bind_tokens(module);
  astraweave::bindings::bind_words(module);
}
