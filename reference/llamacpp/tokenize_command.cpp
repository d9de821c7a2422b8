// tokenize: llama.cpp's token ids of texts.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "commands.h"
#include "session.h"

namespace kylin::reference {
namespace {

struct TokenizeOptions {
    std::string model;
    bool parse_special = false, verbose = false;
};

void run_tokenize(const TokenizeOptions& options) {
    const ModelHandle model = load_vocabulary(options.model, options.verbose);
    size_t number = 0;
    for (std::string line; std::getline(std::cin, line);) {
        ++number;
        const nlohmann::json text = nlohmann::json::parse(line, nullptr, false);
        if (!text.is_string()) throw std::runtime_error("standard input: line " + std::to_string(number) + " is not a JSON string");
        std::cout << nlohmann::json(tokenize(*model, text.get<std::string>(), options.parse_special)) << std::endl;
    }
}

}  // namespace

void add_tokenize(CLI::App& program) {
    const auto options = std::make_shared<TokenizeOptions>();
    CLI::App* command = program.add_subcommand("tokenize", "Read a JSON string per line, print a JSON array of token ids per line");
    command->add_option("-m,--model", options->model, "GGUF file")->required();
    command->add_flag("--parse-special", options->parse_special, "Recognize special tokens in the text");
    command->add_flag("--verbose", options->verbose, "Show llama.cpp's log on stderr");
    command->callback([options] { run_tokenize(*options); });
}

}  // namespace kylin::reference
