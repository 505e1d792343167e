#include "io/file.hpp"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "error.hpp"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <io.h>
#include <windows.h>
#else
#include <fcntl.h>
#include <unistd.h>
#endif

namespace astraweave::io {
namespace {

namespace fs = std::filesystem;

std::string shown(const fs::path& path) {
  const std::u8string text = path.u8string();
  return "'" + std::string(text.begin(), text.end()) + "'";
}

[[noreturn]] void fail(const char* what, const fs::path& path, std::error_code reason) {
  throw Error(ErrorCode::kStorage,
              std::string("cannot ") + what + " " + shown(path) + ": " + reason.message());
}

std::error_code last_error() { return {errno, std::generic_category()}; }

// An open C stream that closes itself.
class Stream {
 public:
  Stream(const fs::path& path, bool write) {
#if defined(_WIN32)
    stream_ = _wfopen(path.c_str(), write ? L"wb" : L"rb");
#else
    stream_ = std::fopen(path.c_str(), write ? "wb" : "rb");
#endif
  }
  ~Stream() {
    if (stream_ != nullptr) std::fclose(stream_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  std::FILE* get() const noexcept { return stream_; }

  bool close() noexcept {
    std::FILE* stream = stream_;
    stream_ = nullptr;
    return std::fclose(stream) == 0;
  }

  bool flush_to_disk() noexcept {
    if (std::fflush(stream_) != 0) return false;
#if defined(_WIN32)
    return _commit(_fileno(stream_)) == 0;
#else
    return ::fsync(::fileno(stream_)) == 0;
#endif
  }

 private:
  std::FILE* stream_ = nullptr;
};

void rename_over(const fs::path& from, const fs::path& to) {
#if defined(_WIN32)
  if (!MoveFileExW(from.c_str(), to.c_str(), MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) {
    fail("replace", to, {static_cast<int>(GetLastError()), std::system_category()});
  }
#else
  if (std::rename(from.c_str(), to.c_str()) != 0) fail("replace", to, last_error());
  // The name, too, has to reach the disk. Some file systems cannot do it and say so: no harm.
  const fs::path folder = to.has_parent_path() ? to.parent_path() : fs::path(".");
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor >= 0) {
    ::fsync(descriptor);
    ::close(descriptor);
  }
#endif
}

fs::path beside(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
#if defined(_WIN32)
  const auto process = static_cast<unsigned long>(GetCurrentProcessId());
#else
  const auto process = static_cast<unsigned long>(::getpid());
#endif
  fs::path temporary = path;
  temporary += "." + std::to_string(process) + "-" + std::to_string(counter++) + ".tmp";
  return temporary;
}

void write_all(const fs::path& path, std::span<const std::string_view> parts) {
  Stream stream(path, true);
  if (stream.get() == nullptr) fail("create", path, last_error());
  bool written = true;
  for (const std::string_view part : parts) {
    written = written && std::fwrite(part.data(), 1, part.size(), stream.get()) == part.size();
  }
  if (!written || !stream.flush_to_disk()) fail("write", path, last_error());
  if (!stream.close()) fail("write", path, last_error());
}

}  // namespace

std::string read_file(const fs::path& path) {
  const Stream stream(path, false);
  if (stream.get() == nullptr) fail("open", path, last_error());
  std::error_code reason;
  const auto size = fs::file_size(path, reason);
  if (reason) fail("read", path, reason);
  std::string content(static_cast<std::size_t>(size), '\0');
  content.resize(std::fread(content.data(), 1, content.size(), stream.get()));
  if (std::ferror(stream.get()) != 0) fail("read", path, last_error());
  return content;
}

void replace_file(const fs::path& path, std::string_view content) {
  replace_file(path, std::span(&content, 1));
}

void replace_file(const fs::path& path, std::span<const std::string_view> parts) {
  const fs::path temporary = beside(path);
  try {
    write_all(temporary, parts);
    rename_over(temporary, path);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
}

}  // namespace astraweave::io
