// Whole files: read at once, replaced in one step.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace astraweave::io {

// Throws Error(kStorage) with the path and the system's reason.
std::string read_file(const std::filesystem::path& path);

// After it returns, the new content is on the disk under this name; if it throws (Error(kStorage))
// or the process dies, the old file stands as it was. The content is written beside it first.
void replace_file(const std::filesystem::path& path, std::string_view content);
// So with the parts one after another.
void replace_file(const std::filesystem::path& path, std::span<const std::string_view> parts);

}  // namespace astraweave::io
