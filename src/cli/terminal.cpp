#include "cli/terminal.h"

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <histedit.h>
#include <iostream>
#include <langinfo.h>
#include <unistd.h>

#include "base/error.h"

namespace kylin::cli {
namespace {

constexpr int history_lines = 1000;

// Bracketed paste: while it is on, the terminal puts a mark before and after what is pasted.
constexpr const char *paste_marks_on = "\x1b[?2004h", *paste_marks_off = "\x1b[?2004l", *paste_begins = "\\e[200~";

volatile std::sig_atomic_t interrupted = 0;  // all that a signal handler may touch

// Editing characters of more than one byte needs a locale that knows UTF-8.
void use_utf8() {
    std::setlocale(LC_CTYPE, "");
    if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

void mark_pastes(bool on) {
    if (!isatty(STDOUT_FILENO)) return;
    std::fputs(on ? paste_marks_on : paste_marks_off, stdout);
    std::fflush(stdout);
}

}  // namespace

Interrupts::Interrupts() {
    interrupted = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };
    sigemptyset(&action.sa_mask);  // without SA_RESTART: a read of the terminal ends
    sigaction(SIGINT, nullptr, &before_);
    if (before_.sa_handler != SIG_IGN) sigaction(SIGINT, &action, nullptr);  // a job in the background is not for Ctrl-C
}

Interrupts::~Interrupts() { sigaction(SIGINT, &before_, nullptr); }

bool Interrupts::take() {
    const bool was = interrupted != 0;
    interrupted = 0;
    return was;
}

std::filesystem::path history_path() {
    if (const char* state = std::getenv("XDG_STATE_HOME"); state && *state == '/') return std::filesystem::path(state) / "kylin/history";
    if (const char* home = std::getenv("HOME"); home && *home) return std::filesystem::path(home) / ".local/state/kylin/history";
    return {};
}

struct LineReader::Editor {
    Editor(std::string text, std::filesystem::path path)
        : prompt(std::move(text)), history_file(std::move(path)), history(history_init()), line(el_init("kylin", stdin, stdout, stderr)) {
        el_set(line, EL_CLIENTDATA, this);
        el_set(line, EL_PROMPT, &Editor::prompt_of);
        el_set(line, EL_EDITOR, "emacs");
        el_set(line, EL_HIST, &::history, history);
        el_set(line, EL_SIGNAL, 1);  // a resized window and a resumed program are drawn again; a killed one leaves the terminal usable
        el_set(line, EL_ADDFN, "kylin-paste", "Insert pasted text", &Editor::paste);
        el_set(line, EL_BIND, paste_begins, "kylin-paste", nullptr);
        el_source(line, nullptr);
        HistEvent event;
        ::history(history, &event, H_SETSIZE, history_lines);
        ::history(history, &event, H_SETUNIQUE, 1);
        if (!history_file.empty()) ::history(history, &event, H_LOAD, history_file.c_str());
    }
    ~Editor() {
        save();
        el_end(line);
        history_end(history);
    }
    Editor(const Editor&) = delete;
    Editor& operator=(const Editor&) = delete;

    // A history that cannot be kept is no reason to fail. libedit makes the file readable for its owner only.
    void save() const {
        if (history_file.empty()) return;
        std::error_code ignored;
        std::filesystem::create_directories(history_file.parent_path(), ignored);
        HistEvent event;
        ::history(history, &event, H_SAVE, history_file.c_str());
    }

    // Whether something was typed before the read ended without a line.
    bool holds_text() const {
        const LineInfo* info = el_line(line);
        return info->lastchar != info->buffer;
    }

    // Pasted lines become one line with line ends in it, instead of one message each.
    static unsigned char paste(EditLine* line, int) {
        constexpr std::wstring_view end = L"\x1b[201~";
        std::wstring text;
        for (wchar_t c = 0; !text.ends_with(end); text += c == L'\r' ? L'\n' : c)
            if (el_wgetc(line, &c) != 1) return CC_EOF;
        text.resize(text.size() - end.size());
        while (text.ends_with(L'\n')) text.pop_back();
        return el_winsertstr(line, text.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
    }

    static char* prompt_of(EditLine* line) {
        Editor* self = nullptr;
        el_get(line, EL_CLIENTDATA, &self);
        return self->prompt.data();
    }

    std::string prompt;
    std::filesystem::path history_file;
    History* history;
    EditLine* line;
};

LineReader::LineReader(std::string prompt, std::filesystem::path history) {
    if (!isatty(STDIN_FILENO)) return;
    use_utf8();
    editor_ = std::make_unique<Editor>(std::move(prompt), std::move(history));
}

LineReader::~LineReader() = default;

LineReader::Result LineReader::read(std::string& line) {
    if (!editor_) return std::getline(std::cin, line) ? Result::line : Result::end;
    int n = 0;
    errno = 0;
    mark_pastes(true);
    const char* text = el_gets(editor_->line, &n);
    const int why = errno;
    mark_pastes(false);
    if (!text || n <= 0) {
        const auto ended = n >= 0 || why != EINTR ? Result::end : editor_->holds_text() ? Result::discarded : Result::interrupted;
        el_reset(editor_->line);
        return ended;
    }
    line.assign(text, static_cast<size_t>(n));
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    HistEvent event;
    if (line.find_first_not_of(" \t") != std::string::npos) ::history(editor_->history, &event, H_ENTER, line.c_str());
    return Result::line;
}

bool write_stdout(std::string_view text) {
    if (text.empty() || (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)) return true;
    if (errno == EPIPE) return false;
    throw InputError("stdout", std::strerror(errno));
}

}  // namespace kylin::cli
