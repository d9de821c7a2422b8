#include "cli/answer.h"

#include <fmt/format.h>

#include "base/error.h"
#include "cli/answer_stream.h"
#include "server/answer_format.h"

namespace kylin::cli {

Answer answer(Session& session, GenerationSpec spec, const Watcher& watcher) {
    AnswerStream stream(*session.engine, GenerationRequest(std::move(spec), session.limits()));
    Answer answer;
    for (bool wanted = true;;) {
        const auto event = stream.next(std::chrono::milliseconds(50));
        const std::string_view text = event ? std::string_view(event->text) : std::string_view();
        if (wanted && !watcher(text)) {
            wanted = false;
            stream.cancel();
        }
        if (!event) continue;
        answer.text += text;
        if (event->token) answer.tokens.push_back(*event->token);
        if (!event->finish) continue;
        answer.finish = *event->finish;
        if (is_error(answer.finish.reason)) throw InputError(session.path, answer.finish.message);
        return answer;
    }
}

std::string summary(const Finish& f) {
    const std::string reused = f.usage.n_reused > 0 ? fmt::format(" ({} cached)", f.usage.n_reused) : "";
    const std::string guessed = f.usage.n_accepted > 0 ? fmt::format(" ({} guessed right)", f.usage.n_accepted) : "";
    return fmt::format("prompt {} tokens{}, {:.1f} tokens/s; answer {} tokens{}, {:.1f} tokens/s; {}", f.usage.n_prompt, reused,
                       prompt_tokens_per_second(f.usage, f.timings), f.usage.n_answer, guessed,
                       answer_tokens_per_second(f.usage, f.timings), name(f.reason));
}

nlohmann::ordered_json to_json(const Answer& a) {
    const Timings& timings = a.finish.timings;
    return {{"text", a.text},
            {"tokens", a.tokens},
            {"finish_reason", name(a.finish.reason)},
            {"usage", server::to_json(a.finish.usage)},
            {"timings",
             {{"prompt_seconds", timings.prompt_seconds},
              {"answer_seconds", timings.answer_seconds},
              {"prompt_tokens_per_second", prompt_tokens_per_second(a.finish.usage, timings)},
              {"answer_tokens_per_second", answer_tokens_per_second(a.finish.usage, timings)}}}};
}

}  // namespace kylin::cli
