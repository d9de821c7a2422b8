// The commands of the program: each adds itself to the app and runs from its callback.
// A command ends by returning (status 0), by throwing InputError (status 1), or by throwing CLI::RuntimeError(status).
#pragma once
#include <CLI/CLI.hpp>

namespace kylin::cli {

void add_run(CLI::App& app);
void add_chat(CLI::App& app);
void add_serve(CLI::App& app);
void add_inspect(CLI::App& app);
void add_quantize(CLI::App& app);
void add_synth(CLI::App& app);
void add_bench(CLI::App& app);
void add_trace(CLI::App& app);
void add_compare(CLI::App& app);
void add_diagnose(CLI::App& app);

}  // namespace kylin::cli
