#include "server/generations.h"

#include <algorithm>
#include <fmt/format.h>
#include <new>

#include "base/error.h"

namespace kylin::server {
namespace {

double seconds_since(std::chrono::steady_clock::time_point then) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - then).count();
}

// What only observes: without memory for it, the answer goes on.
template <class Work>
void unless_memory_lacks(Work work) {
    try {
        work();
    } catch (const std::bad_alloc&) {
    }
}

}  // namespace

Generations::Ticket Generations::start(Names names, std::vector<GenerationRequest> requests, Listener listener) {
    if (requests.size() > max_choices_)
        throw InputError("n", fmt::format("{} answers are more than the {} that may run or wait here", requests.size(), max_choices_));
    if (n_choices_ + requests.size() > max_choices_) {
        ++observers_.metrics.rejected;
        throw QueueFull{};
    }
    const Ticket ticket = ++last_;
    Job& job = jobs_[ticket];
    job.names = std::move(names);
    job.begun = Clock::now();
    try {
        job.listener = std::make_shared<const Listener>(std::move(listener));
        job.choices.reserve(requests.size());  // now, so that each that runs can be told of
        for (GenerationRequest& request : requests) {
            const size_t index = job.choices.size();
            const int n_prompt = static_cast<int>(request.spec().prompt.size());
            std::optional<GenerationSpec> audited;
            if (observers_.audit && !request.spec().embed && observers_.audit->picks_next()) audited = request.spec();
            const RequestId id = engine_.submit(std::move(request), [this, post = make_poster_(), ticket, index](const TokenEvent& event) {
                post([this, ticket, index, event] { on_event(ticket, index, event); });
            });
            job.choices.push_back({.id = id, .n_prompt = n_prompt, .last_token = job.begun, .audited = std::move(audited)});
            ++n_choices_;
        }
    } catch (...) {
        cancel(ticket);
        if (job.choices.empty()) jobs_.erase(ticket);
        throw;
    }
    return ticket;
}

void Generations::cancel(Ticket ticket) {
    const auto it = jobs_.find(ticket);
    if (it == jobs_.end()) return;
    it->second.listener = nullptr;
    for (const Choice& choice : it->second.choices)
        if (!choice.ended) engine_.cancel(choice.id);
}

void Generations::count(Job& job, Choice& choice, const TokenEvent& event) {
    if (event.token) {
        ++choice.n_answer;
        if (choice.audited) choice.answer.push_back(*event.token);
        ++observers_.metrics.answer_tokens;
        (choice.n_answer == 1 ? observers_.metrics.first_token : observers_.metrics.inter_token).observe(seconds_since(choice.last_token));
        choice.last_token = Clock::now();
    }
    if (!event.finish) return;
    const Finish& finish = *event.finish;
    ++observers_.metrics.answers[std::string(name(finish.reason))];
    observers_.metrics.prompt_tokens += static_cast<uint64_t>(finish.usage.n_prompt);
    observers_.metrics.cached_tokens += static_cast<uint64_t>(finish.usage.n_reused);
    observers_.metrics.drafted_tokens += static_cast<uint64_t>(finish.usage.n_drafted);
    observers_.metrics.accepted_tokens += static_cast<uint64_t>(finish.usage.n_accepted);
    observers_.metrics.whole_answer.observe(seconds_since(job.begun));
    job.usage.n_prompt += finish.usage.n_prompt;
    job.usage.n_reused += finish.usage.n_reused;
    job.usage.n_answer += finish.usage.n_answer;
    const bool whole = finish.reason == FinishReason::stop || finish.reason == FinishReason::length;
    if (choice.audited && whole) observers_.audit->submit(std::move(*choice.audited), std::move(choice.answer));
    if (!finish.activations) return;
    if (!job.activations) job.activations.emplace();
    job.activations->add(*finish.activations);
}

void Generations::keep_activations(Job& job) {
    if (job.activations) observers_.watched.keep({std::move(job.names.answer), job.usage, std::move(*job.activations)});
}

void Generations::on_event(Ticket ticket, size_t index, const TokenEvent& event) {
    const auto it = jobs_.find(ticket);
    if (it == jobs_.end()) return;
    Job& job = it->second;
    Choice& choice = job.choices[index];
    if (event.finish) choice.ended = true, --n_choices_;
    unless_memory_lacks([&] { count(job, choice, event); });
    // A copy: the listener may cancel its own job.
    if (const auto listener = job.listener) (*listener)(index, event);
    if (!std::ranges::all_of(job.choices, &Choice::ended)) return;
    unless_memory_lacks([&] { keep_activations(job); });
    jobs_.erase(ticket);
}

std::vector<Generations::View> Generations::running() const {
    std::vector<View> views;
    for (const auto& [ticket, job] : jobs_)
        for (size_t i = 0; i < job.choices.size(); ++i)
            if (!job.choices[i].ended)
                views.push_back({job.names.request, i, job.choices[i].n_prompt, job.choices[i].n_answer, seconds_since(job.begun)});
    return views;
}

}  // namespace kylin::server
