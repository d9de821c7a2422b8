// Runs the Jinja program on a conversation and cuts its text where the origin changes.
#include "text/chat_template.h"

#include "base/error.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/parser.h"

namespace kylin {
namespace {

constexpr std::string_view template_key = "tokenizer.chat_template";

constexpr std::string_view chatml =
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

void check(const Conversation& conversation) {
    if (!conversation.messages.is_array()) throw InputError("messages", "must be an array");
    for (const auto& message : conversation.messages) {
        const std::string where = "messages[" + std::to_string(&message - &conversation.messages[0]) + "]";
        if (!message.is_object()) throw InputError(where, "must be an object");
        if (const auto role = message.find("role"); role == message.end() || !role->is_string())
            throw InputError(where + ".role", "must be a string");
    }
    if (!conversation.tools.is_null() && !conversation.tools.is_array()) throw InputError("tools", "must be an array");
    if (!conversation.variables.is_object()) throw InputError("chat template variables", "must be an object");
}

Conversation greeting() {
    Conversation conversation;
    conversation.messages.push_back({{"role", "user"}, {"content", "Hello"}});
    return conversation;
}

// Neighbouring bytes of one origin become one segment.
std::vector<Segment> to_segments(const jinja::Text& text) {
    std::vector<Segment> segments;
    for (size_t begin = 0; begin < text.size();) {
        size_t end = begin + 1;
        while (end < text.size() && text.origin(end) == text.origin(begin)) ++end;
        const bool own_words = text.origin(begin) == jinja::Origin::source;
        segments.push_back({text.bytes().substr(begin, end - begin), own_words ? Special::parse : Special::text});
        begin = end;
    }
    return segments;
}

}  // namespace

struct ChatTemplate::Program {
    explicit Program(std::string_view source) : body(jinja::parse(source)) {}
    jinja::Body body;
};

ChatTemplate ChatTemplate::load(const gguf::File& file, const Tokenizer& tokenizer) {
    const auto text_of = [&](std::optional<int32_t> id) { return id ? std::string(tokenizer.bytes(*id)) : std::string(); };
    if (const std::string* source = file.find_string(template_key)) return {*source, text_of(tokenizer.bos()), text_of(tokenizer.eos())};
    ChatTemplate built_in(chatml, text_of(tokenizer.bos()), text_of(tokenizer.eos()));
    built_in.fallback_reason_ = file.name() + ": " + std::string(template_key) + " is missing";
    return built_in;
}

ChatTemplate::ChatTemplate(std::string_view source, std::string bos, std::string eos) : bos_(std::move(bos)), eos_(std::move(eos)) {
    try {
        program_ = std::make_unique<const Program>(source);
        render(greeting());  // finds what only running shows
        knows_tools_ = source.find("tools") != source.npos;
    } catch (const InputError& e) {
        fallback_reason_ = e.what();
        program_ = std::make_unique<const Program>(chatml);
    }
}

ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

std::vector<Segment> ChatTemplate::render(const Conversation& conversation) const {
    check(conversation);
    const bool has_tools = !conversation.tools.empty();
    if (has_tools && !fallback_reason_.empty()) throw InputError("tools", "the built-in ChatML template has no place for them");

    const jinja::Limits limits;
    jinja::Variables variables;
    variables.emplace_back("messages", jinja::from_json(conversation.messages, limits.value_depth));
    variables.emplace_back("tools", has_tools ? jinja::from_json(conversation.tools, limits.value_depth) : jinja::None{});
    variables.emplace_back("add_generation_prompt", jinja::Value(conversation.add_generation_prompt));
    if (conversation.enable_thinking) variables.emplace_back("enable_thinking", jinja::Value(*conversation.enable_thinking));
    variables.emplace_back("bos_token", jinja::Value::source(bos_));
    variables.emplace_back("eos_token", jinja::Value::source(eos_));
    // Last, because the first of a name counts.
    for (const auto& [name, value] : conversation.variables.items())
        variables.emplace_back(name, jinja::from_json(value, limits.value_depth));
    return to_segments(jinja::render(program_->body, variables, limits));
}

}  // namespace kylin
