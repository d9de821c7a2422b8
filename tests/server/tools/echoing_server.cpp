// echoing_server: the real server, its routes and its engine over a model that answers every question with the question itself, and every
// result of a tool with that, word for word and with special tokens: so a test says what the model says. Serves on a free port, which it
// prints as kylin serve does.
#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <iterator>

#include "engine/fake_model.h"
#include "server/http_server.h"
#include "server/routes.h"

namespace kylin {
namespace {

constexpr int n_pages = 256;

// The tokens of the last turn of the user, and how many have been said again.
class Echo {
public:
    explicit Echo(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

    void operator()(const Tokens& prefix, std::span<float> logits) const {
        const std::string text = tokenizer_.decode(prefix);
        const size_t first = text.rfind(question) + question.size();
        const Tokens words = tokenizer_.encode(without_tags(text.substr(first, text.find(end, first) - first)), Special::parse);
        const size_t n = n_said(prefix);
        logits[static_cast<size_t>(n < words.size() ? words[n] : *tokenizer_.find(end))] = 100;
    }

private:
    static constexpr std::string_view question = "<|im_start|>user\n", answer = "<|im_start|>assistant\n", end = "<|im_end|>";

    // Counted in the tokens themselves: a part of a text need not be encoded as it is within the whole.
    size_t n_said(const Tokens& prefix) const {
        Tokens before = prefix;
        while (!before.empty() && !tokenizer_.decode(before).ends_with(answer)) before.pop_back();
        return prefix.size() - before.size();
    }

    // The result of a tool comes as a turn of the user, between tags.
    static std::string without_tags(const std::string& turn) {
        const std::string_view opening = "<tool_response>\n", closing = "\n</tool_response>";
        return turn.starts_with(opening) ? turn.substr(opening.size(), turn.find(closing) - opening.size()) : turn;
    }

    const Tokenizer& tokenizer_;
};

std::string template_source() {
    std::ifstream file(KYLIN_SOURCE_DIR "/tests/text/data/qwen3_style.jinja");
    return {std::istreambuf_iterator<char>(file), {}};
}

int run() {
    const Tokenizer tokenizer = fake_tokenizer();
    const ChatTemplate chat_template(template_source(), "", "");
    FakeNumerics math(n_pages);
    const FakeModel model{Echo(tokenizer)};
    Engine engine({model, math, tokenizer}, {.n_pages = n_pages, .n_sequences = 4});
    const server::ServedModel served{.engine = engine,
                                     .tokenizer = tokenizer,
                                     .chat_template = chat_template,
                                     .config = model.config(),
                                     .limits = {fake_vocab, n_pages * page_positions / 4},
                                     .name = "echo",
                                     .version = "0",
                                     .masks = std::make_shared<const grammar::MaskCache>(grammar::TokenTrie(tokenizer)),
                                     .defaults = {},
                                     .n_parallel = 4,
                                     .n_queue = 16};
    server::Routes routes(served, {}, [](const server::ExchangeRecord&) {});
    server::HttpOptions options;
    options.port = 0;
    server::HttpServer server(options, routes);
    routes.connect([&server] { return server.poster(); }, [&server] { return server.n_connections(); });
    std::fprintf(stderr, "echo listens on http://127.0.0.1:%d\n", static_cast<int>(server.port()));
    server.run();
    return 0;
}

}  // namespace
}  // namespace kylin

int main() { return kylin::run(); }
