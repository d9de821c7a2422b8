// Where Kylin finds the files that belong to it.
#pragma once
#include <filesystem>
#include <string>

namespace kylin::cli {

// The demo model: $KYLIN_DEMO, or demo/ of the source tree the program was built in, or ../share/kylin beside the program.
// Throws InputError when it is nowhere.
std::filesystem::path demo_model();

// A reference program: in $KYLIN_REFERENCE, or in the folder of the running program. Throws InputError saying how to build it.
std::filesystem::path reference_program(const std::string& name);

// The HTML template of reports, found as the demo model is; $KYLIN_REPORT names another. Throws InputError when it is nowhere.
std::filesystem::path report_template();

}  // namespace kylin::cli
