// A diagnosis as part of a larger JSON document.
#pragma once
#include <nlohmann/json.hpp>

#include "parity/diagnose.h"

namespace kylin::parity {

nlohmann::ordered_json json_of(const Diagnosis& diagnosis);

}  // namespace kylin::parity
