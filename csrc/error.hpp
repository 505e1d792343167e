// The one exception that native code throws. bindings/errors.cpp turns it into a class of
// errors.py.
#pragma once

#include <stdexcept>
#include <string>

namespace astraweave {

enum class ErrorCode {
  kInput,
  kConfig,
  kCapacity,
  kCorruptData,
  kFormatVersion,
  kStorage,
  kUsage,
  kModel
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace astraweave
