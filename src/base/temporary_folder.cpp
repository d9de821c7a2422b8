#include "base/temporary_folder.h"

#include <cerrno>
#include <cstring>
#include <stdlib.h>

#include "base/error.h"

namespace kylin {

TemporaryFolder::TemporaryFolder(std::string_view prefix) {
    std::string name = (std::filesystem::temp_directory_path() / prefix).string() + ".XXXXXX";
    if (!::mkdtemp(name.data())) throw InputError(name, "cannot be made: " + std::string(std::strerror(errno)));
    path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace kylin
