// A comparison told in twenty lines of text.
#pragma once
#include <string>

#include "parity/report.h"

namespace kylin::cli {

std::string summary_text(const parity::Report& report, bool colour);

}  // namespace kylin::cli
