// kylin run: one prompt, one answer.
#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <unistd.h>

#include "base/error.h"
#include "cli/answer.h"
#include "cli/chat_options.h"
#include "cli/commands.h"
#include "cli/sampling_options.h"
#include "cli/session.h"
#include "cli/terminal.h"

namespace kylin::cli {
namespace {

struct Settings {
    SessionOptions session;
    SamplingOptions sampling;
    ChatOptions chat;
    std::vector<std::string> words;
    bool raw = false, json = false;
};

std::string read_stdin() {
    constexpr size_t limit = size_t{64} << 20;
    std::string text;
    std::array<char, 65536> piece;
    while (const size_t n = std::fread(piece.data(), 1, piece.size(), stdin)) {
        text.append(piece.data(), n);
        if (text.size() > limit) throw InputError("stdin", "the prompt is longer than 64 MiB");
    }
    if (std::ferror(stdin)) throw InputError("stdin", std::strerror(errno));
    if (text.ends_with('\n')) text.pop_back();  // the line end that echo and editors add is not part of the prompt
    return text;
}

std::string prompt_of(const Settings& settings) {
    const auto& words = settings.words;
    if (words.size() == 1 && words[0] == "-") return read_stdin();
    if (words.empty() && isatty(STDIN_FILENO)) throw CLI::RequiredError("PROMPT");
    if (words.empty()) return read_stdin();
    std::string prompt = words[0];
    for (size_t i = 1; i < words.size(); ++i) prompt += " " + words[i];
    return prompt;
}

// Plain text to go on from; special tokens in it count, as other engines have it.
std::vector<int32_t> raw_tokens(const Tokenizer& tokenizer, const std::string& text) {
    std::vector<int32_t> tokens = tokenizer.encode(text, Special::parse);
    if (tokenizer.adds_bos()) tokens.insert(tokens.begin(), *tokenizer.bos());
    return tokens;
}

void print_json(const Session& session, const GenerationSpec& spec, const Answer& answer) {
    nlohmann::ordered_json json = {{"model", session.name()}, {"seed", spec.sampling.seed}};
    json.update(to_json(answer));
    write_stdout(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

void run(const Settings& settings) {
    const std::string prompt = prompt_of(settings);
    if (prompt.empty()) throw InputError("prompt", "it is empty");
    Session session(settings.session);
    // Without a temperature the same prompt gives the same answer.
    Sampling base = recommended_sampling(session.file);
    base.temperature = 0;
    GenerationSpec spec = settings.sampling.spec(base);
    const Message question{"user", prompt};
    if (!settings.raw) note_template(session);
    spec.prompt = settings.raw ? raw_tokens(session.tokenizer, prompt) : chat_tokens(session, settings.chat, {&question, 1});

    // Ctrl-C stops the answer, and ends the program as it would have without that; a second one ends it at once.
    std::optional<Interrupts> interrupts(std::in_place);
    bool open = true;
    const Answer got = answer(session, spec, [&](std::string_view text) {
        if (interrupts && interrupts->take()) interrupts.reset();
        return (open = settings.json || write_stdout(text)) && interrupts;
    });
    if (settings.json)
        print_json(session, spec, got);
    else if (open && write_stdout("\n"))
        std::fprintf(stderr, "%s\n", summary(got.finish).c_str());
    if (!interrupts) std::raise(SIGINT);
}

}  // namespace

void add_run(CLI::App& app) {
    auto settings = std::make_shared<Settings>();
    CLI::App* command = app.add_subcommand("run", "Answer one prompt");
    command->add_option("PROMPT", settings->words, "What to ask; read from stdin when absent or -");
    command->add_flag("--raw", settings->raw, "Continue the prompt as plain text, without the chat template");
    command->add_flag("--json", settings->json, "Print one JSON object at the end instead of the text as it comes");
    settings->chat.add_to(*command);
    settings->session.add_to(*command);
    settings->sampling.add_to(*command);
    command->footer(
        "Without --temperature the answer is greedy: the same prompt always gives the same answer.\n"
        "With one, what is not given is as the model's file recommends (general.sampling.*), else top_p 0.95, top_k 20.\n");
    command->callback([settings] { run(*settings); });
}

}  // namespace kylin::cli
