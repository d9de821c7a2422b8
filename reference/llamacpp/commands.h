// The subcommands. Each adds itself, with its options and help, to the program; main runs the one that was asked for.
#pragma once
#include <CLI/CLI.hpp>

namespace kylin::reference {

void add_trace(CLI::App& program);
void add_generate(CLI::App& program);
void add_tokenize(CLI::App& program);
void add_bench(CLI::App& program);
void add_codec(CLI::App& program);

}  // namespace kylin::reference
