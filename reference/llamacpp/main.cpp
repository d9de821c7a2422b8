// kylin-reference-llamacpp: what llama.cpp computes, for Kylin to compare with.
#include <cstdio>
#include <exception>
#include <llama.h>

#include "commands.h"

int main(int argc, char** argv) {
    CLI::App program("llama.cpp as a reference: traces, greedy text, token ids, speed and block formats", "kylin-reference-llamacpp");
    program.set_version_flag("--version", [] { return std::string("llama.cpp ") + llama_version(); });
    program.require_subcommand(1);
    kylin::reference::add_trace(program);
    kylin::reference::add_generate(program);
    kylin::reference::add_tokenize(program);
    kylin::reference::add_bench(program);
    kylin::reference::add_codec(program);
    try {
        program.parse(argc, argv);
        return 0;
    } catch (const CLI::Success& asked) {  // --help and --version
        return program.exit(asked);
    } catch (const CLI::ParseError& mistake) {
        fprintf(stderr, "error: %s (see --help)\n", mistake.what());
        return 2;
    } catch (const std::exception& failure) {
        fprintf(stderr, "error: %s\n", failure.what());
        return 1;
    }
}
