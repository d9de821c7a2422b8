// generate: llama.cpp's greedy continuation of one or many prompts, with the two best logits of every step.
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "commands.h"
#include "session.h"

namespace kylin::reference {
namespace {

using Json = nlohmann::ordered_json;

struct GenerateOptions {
    RunOptions run = clean_run();
    std::string tokens, prompts;
    int n = 64;
};

std::vector<std::vector<llama_token>> read_prompts(const GenerateOptions& options) {
    if (!options.tokens.empty()) return {parse_token_list(options.tokens)};
    std::ifstream file;
    if (options.prompts != "-") file.open(options.prompts);
    std::istream& in = options.prompts == "-" ? std::cin : file;
    if (!in) throw std::runtime_error(options.prompts + ": cannot be read");
    std::vector<std::vector<llama_token>> prompts;
    for (std::string line; std::getline(in, line);) {
        const std::string where = options.prompts + ": line " + std::to_string(prompts.size() + 1);
        const Json ids = Json::parse(line, nullptr, false);
        if (!ids.is_array() || ids.empty()) throw std::runtime_error(where + " is not a JSON array of token ids");
        for (const Json& id : ids)
            if (!id.is_number_unsigned()) throw std::runtime_error(where + ": " + id.dump() + " is not a token id");
        prompts.push_back(ids.get<std::vector<llama_token>>());
    }
    if (prompts.empty()) throw std::runtime_error(options.prompts + ": holds no prompts");
    return prompts;
}

// [[id, logit], [id, logit]], best first; of equal logits the lower id first, as argmax does.
Json top_two(std::span<const float> logits) {
    const size_t best = static_cast<size_t>(argmax(logits));
    const size_t before = static_cast<size_t>(argmax(logits.first(std::max<size_t>(best, 1))));
    size_t second = best == 0 ? 1 : before;
    for (size_t i = best + 1; i < logits.size(); ++i)
        if (logits[i] > logits[second]) second = i;
    return {{best, logits[best]}, {second, logits[second]}};
}

Json generate(Session& session, const std::vector<llama_token>& prompt, int n) {
    session.forget(0);
    session.feed(prompt, 0, Session::Outputs::last);
    std::vector<llama_token> tokens;
    Json top = Json::array();
    while (true) {
        tokens.push_back(argmax(session.logits()));
        top.push_back(top_two(session.logits()));
        if (static_cast<int>(tokens.size()) == n) break;
        session.feed({&tokens.back(), 1}, static_cast<int>(prompt.size() + tokens.size()) - 1, Session::Outputs::last);
    }
    return {{"tokens", tokens}, {"top2", top}};
}

void run_generate(const GenerateOptions& options) {
    const std::vector<std::vector<llama_token>> prompts = read_prompts(options);
    size_t longest = 0;
    for (const auto& prompt : prompts) longest = std::max(longest, prompt.size());
    Session session(options.run);
    session.open(static_cast<int>(longest) + options.n);
    for (const auto& prompt : prompts) std::cout << generate(session, prompt, options.n) << std::endl;
}

}  // namespace

void add_generate(CLI::App& program) {
    const auto options = std::make_shared<GenerateOptions>();
    CLI::App* command =
        program.add_subcommand("generate", "Continue prompts greedily; one JSON line per prompt: tokens, and the two best of every step");
    add_run_options(*command, options->run);
    CLI::Option_group* input = command->add_option_group("input");
    input->add_option("--tokens", options->tokens, "Token ids of one prompt: 1,2,3");
    input->add_option("--prompts", options->prompts, "File with a JSON array of ids on each line; - for standard input");
    input->require_option(1);
    command->add_option("-n,--n", options->n, "Tokens to generate; end-of-text tokens do not stop it")
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str();
    command->callback([options] { run_generate(*options); });
}

}  // namespace kylin::reference
