// trace: one run of llama.cpp as a Kylin trace, every stage of every layer.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "commands.h"
#include "session.h"
#include "stage_tap.h"
#include "trace_file.h"

namespace kylin::reference {
namespace {

struct TraceOptions {
    RunOptions run = clean_run();
    std::string tokens, prompt, output;
    int n_decode = 0;
    bool scores = true;
};

std::vector<llama_token> prompt_tokens(const TraceOptions& options, const llama_model& model) {
    if (!options.tokens.empty()) return parse_token_list(options.tokens);
    std::vector<llama_token> ids = tokenize(model, options.prompt, true);
    if (ids.empty()) throw std::runtime_error("the prompt has no tokens");
    return ids;
}

// A generous guess of the header's size: 20 stages per layer, each entry under 200 bytes.
size_t header_room(const llama_model& model, size_t n_tokens) {
    return 16384 + static_cast<size_t>(llama_model_n_layer(&model)) * 20 * 200 + n_tokens * 12;
}

void run_trace(const TraceOptions& options) {
    Session session(options.run);
    std::vector<llama_token> tokens = prompt_tokens(options, session.model());
    const size_t n_prompt = tokens.size(), n_rows = n_prompt + static_cast<size_t>(options.n_decode);
    TraceFile trace(options.output, header_room(session.model(), n_rows));
    StageTap tap(trace, n_rows, options.scores);
    session.open(static_cast<int>(n_rows), tap.callback());

    session.feed(tokens, 0, Session::Outputs::all);
    tap.check();
    llama_token next = argmax(session.logits());
    while (tokens.size() < n_rows) {
        session.feed({&next, 1}, static_cast<int>(tokens.size()), Session::Outputs::all);
        tap.check();
        tokens.push_back(next);
        next = argmax(session.logits());
    }
    tap.check_complete();

    trace.describe("format", "kylin.trace/1");
    trace.describe("engine", std::string("llama.cpp ") + llama_version());
    trace.describe("numerics", describe(options.run));
    trace.describe("tokens", nlohmann::json(tokens).dump());
    trace.describe("n_prompt", std::to_string(n_prompt));
    trace.finish();
    std::cout << nlohmann::ordered_json{{"output", options.output},
                                        {"tensors", trace.n_tensors()},
                                        {"tokens", tokens},
                                        {"n_prompt", n_prompt},
                                        {"next_token", next}}
              << "\n";
}

}  // namespace

void add_trace(CLI::App& program) {
    const auto options = std::make_shared<TraceOptions>();
    CLI::App* command =
        program.add_subcommand("trace", "Write every stage of a run to a trace file; the defaults are the run without noise sources");
    add_run_options(*command, options->run);
    CLI::Option_group* input = command->add_option_group("input");
    input->add_option("--tokens", options->tokens, "Token ids: 1,2,3");
    input->add_option("--prompt", options->prompt, "Text, tokenized by llama.cpp; special tokens are recognized");
    input->require_option(1);
    command->add_option("-o,--output", options->output, "Trace file to write (safetensors)")->required();
    command->add_option("--decode", options->n_decode, "Tokens to decode greedily after the prompt")
        ->check(CLI::Range(0, 1 << 20))
        ->capture_default_str();
    command
        ->add_option("--scores", options->scores,
                     "Also attn_scores and attn_probs (quadratic in the tokens; none with flash attention): on or off")
        ->default_str("on");
    command->callback([options] { run_trace(*options); });
}

}  // namespace kylin::reference
