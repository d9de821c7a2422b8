// Everything that runs on the engine for a client, and the way of its events from the engine's thread to the I/O thread.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "server/audit.h"
#include "server/metrics.h"
#include "server/watched.h"

namespace kylin::server {

// Thrown where a request would wait behind too many others.
struct QueueFull {};

// Who learns of answers besides those that asked for them.
struct Observers {
    Metrics& metrics;
    WatchedAnswers& watched;
    Audit* audit = nullptr;  // off
};

class Generations {
public:
    using Poster = std::function<void(std::function<void()>)>;                     // runs it on the I/O thread
    using Listener = std::function<void(size_t choice, const TokenEvent& event)>;  // I/O thread
    using Ticket = uint64_t;

    // At most `most_choices` run or wait at once. All must outlive the events, which end when the engine has answered or cancelled each.
    Generations(Engine& engine, const Observers& observers, size_t most_choices)
        : engine_(engine), observers_(observers), max_choices_(most_choices) {}
    // Before the first start(). A poster is made for every answer and lives as long as its events may come: the I/O thread waits for it.
    void post_with(std::function<Poster()> make_poster) { make_poster_ = std::move(make_poster); }

    struct Names {
        std::string request, answer;  // in the log; in the answer itself
    };
    // All of them or none. Throws QueueFull, or InputError when one can never run.
    Ticket start(Names names, std::vector<GenerationRequest> requests, Listener listener);
    void cancel(Ticket ticket);  // the listener hears nothing more
    size_t n_choices() const { return n_choices_; }

    struct View {
        std::string request_id;
        size_t choice;
        int n_prompt, n_answer;
        double seconds;
    };
    std::vector<View> running() const;

private:
    using Clock = std::chrono::steady_clock;
    struct Choice {
        RequestId id;
        int n_prompt, n_answer = 0;
        Clock::time_point last_token;
        bool ended = false;
        std::optional<GenerationSpec> audited;  // what was asked, where the answer is to be audited
        std::vector<int32_t> answer = {};       // and only there
    };
    struct Job {
        Names names;
        Clock::time_point begun;
        std::shared_ptr<const Listener> listener;  // none: cancelled
        std::vector<Choice> choices;
        Usage usage;                             // of the choices that have ended
        std::optional<Activations> activations;  // where they were watched
    };
    void on_event(Ticket ticket, size_t index, const TokenEvent& event);
    void count(Job& job, Choice& choice, const TokenEvent& event);
    void keep_activations(Job& job);

    Engine& engine_;
    Observers observers_;
    size_t max_choices_, n_choices_ = 0;
    std::function<Poster()> make_poster_;
    Ticket last_ = 0;
    std::map<Ticket, Job> jobs_;
};

}  // namespace kylin::server
