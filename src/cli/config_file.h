// A TOML file in the place of options: the same names without dashes in front, one table, `port = 9000`.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

namespace kylin::cli {

// Sets the options of the parsed `command` that neither the command line nor the environment has set.
// Throws InputError naming file and line: an unknown name, a value that the option does not take, what is no TOML.
void apply_config_file(CLI::App& command, const std::string& path);

}  // namespace kylin::cli
