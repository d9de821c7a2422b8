// A folder for one test, removed with everything in it.
#pragma once
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/temporary_folder.h"

namespace kylin::testing {

class TestFolder : public TemporaryFolder {
public:
    TestFolder() : TemporaryFolder("kylin-test") {}
    std::filesystem::path operator/(const char* name) const { return path() / name; }
    size_t n_files() const {
        return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path()), std::filesystem::directory_iterator()));
    }
};

inline std::string content_of(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline void fill(const std::filesystem::path& path, const std::string& content) { std::ofstream(path, std::ios::binary) << content; }

}  // namespace kylin::testing
