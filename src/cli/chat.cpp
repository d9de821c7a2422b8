// kylin chat: a conversation on the terminal.
#include <CLI/CLI.hpp>
#include <cstdio>
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
};

constexpr const char* help =
    "/help    this list\n"
    "/reset   forget the conversation\n"
    "/exit    leave; so does the end of input, or Ctrl-C twice\n"
    "Ctrl-C   stops an answer";

class Chat {
public:
    explicit Chat(const Settings& settings)
        : settings_(settings),
          session_(settings.session),
          lines_(">>> ", history_path()),
          recommended_(recommended_sampling(session_.file)) {}

    void run() {
        note_template(session_);
        if (isatty(STDIN_FILENO)) std::fprintf(stderr, "%s. /help lists the commands.\n", session_.name().c_str());
        for (bool was_interrupted = false, open = true; open;) {
            std::string line;
            const auto result = lines_.read(line);
            if (result == LineReader::Result::end) break;
            const bool interrupted = result == LineReader::Result::interrupted;
            if (result != LineReader::Result::line)
                interrupts_.take();  // it was for the line; one that comes after Enter is for the answer
            if (result != LineReader::Result::line) std::fputs("\n", stderr);
            if (interrupted && was_interrupted) return;
            if (interrupted) std::fputs("Ctrl-C again leaves.\n", stderr);
            if (result == LineReader::Result::line) open = obey(line);
            was_interrupted = interrupted;
        }
        if (isatty(STDIN_FILENO)) std::fputs("\n", stderr);
    }

private:
    // False: the conversation is over.
    bool obey(const std::string& line) {
        if (line.find_first_not_of(" \t") == std::string::npos) return true;
        if (line[0] != '/') return reply(line);
        if (line == "/exit" || line == "/quit" || line == "/bye") return false;
        if (line == "/reset")
            messages_.clear();
        else
            std::fprintf(stderr, "%s%s\n", line == "/help" || line == "/?" ? "" : ("no command: " + line + "\n").c_str(), help);
        return true;
    }

    bool reply(const std::string& line) {
        messages_.push_back({"user", line});
        try {
            GenerationSpec spec = settings_.sampling.spec(recommended_);
            spec.prompt = chat_tokens(session_, settings_.chat, messages_);
            bool open = true, stopped = false;
            const Answer got = answer(session_, std::move(spec), [&](std::string_view text) {
                stopped = stopped || interrupts_.take();
                return (open = write_stdout(text)) && !stopped;
            });
            if (!open || !write_stdout("\n")) return false;
            std::fprintf(stderr, "[%s]\n", summary(got.finish).c_str());
            messages_.push_back({"assistant", got.text});
        } catch (const InputError& e) {
            if (!isatty(STDIN_FILENO)) throw;
            // The conversation goes on without what could not be answered.
            std::fprintf(stderr, "error: %s\n", e.what());
            messages_.pop_back();
            if (!messages_.empty()) std::fputs("/reset forgets the conversation.\n", stderr);
        }
        return true;
    }

    const Settings& settings_;
    Session session_;
    Interrupts interrupts_;
    LineReader lines_;
    Sampling recommended_;
    std::vector<Message> messages_;
};

}  // namespace

void add_chat(CLI::App& app) {
    auto settings = std::make_shared<Settings>();
    CLI::App* command = app.add_subcommand("chat", "Talk, with line editing and history");
    settings->chat.add_to(*command);
    settings->session.add_to(*command);
    settings->sampling.add_to(*command);
    command->footer(
        "Answers are drawn as the model's file recommends (general.sampling.*), else with temperature 0.6, top_p 0.95, top_k 20.\n"
        "History is kept in $XDG_STATE_HOME/kylin/history, or ~/.local/state/kylin/history.\n");
    command->callback([settings] { Chat(*settings).run(); });
}

}  // namespace kylin::cli
