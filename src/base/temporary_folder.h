// A folder under $TMPDIR (or /tmp) that is removed, with all in it, when the object ends.
#pragma once
#include <filesystem>
#include <string_view>

namespace kylin {

class TemporaryFolder {
public:
    explicit TemporaryFolder(std::string_view prefix);  // throws InputError when it cannot be made
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder();
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

}  // namespace kylin
