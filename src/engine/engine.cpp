#include "engine/engine.h"

#include <algorithm>
#include <deque>
#include <exception>
#include <mutex>

#include "base/error.h"
#include "engine/inbox.h"
#include "engine/scheduler.h"
#include "kernels/kernels.h"

namespace kylin {
namespace {

constexpr int32_t no_guess = -1;

// What only the engine's thread touches.
class Loop {
public:
    Loop(const EngineParts& parts, const EngineOptions& options, Inbox& inbox)
        : parts_(parts),
          options_(options),
          inbox_(inbox),
          pool_(options.n_pages),
          row_(static_cast<size_t>(parts.model.config().n_vocab)),
          peaks_(n_peaks(row_.size())) {}

    void run() {
        parts_.math.cancel_on(&inbox_.step_is_void());
        while (!mail_.closed) {
            try {
                turn();
            } catch (const std::exception& e) {  // memory is lacking: what is in hand ends, what comes next may fit again
                end_all(FinishReason::error, e.what());
            }
        }
        end_all(FinishReason::cancelled);
        parts_.math.cancel_on(nullptr);
    }

    EngineLoad load() const {  // any thread
        const std::lock_guard lock(load_mutex_);
        return load_;
    }

private:
    void turn() {
        publish_load();
        mail_ = inbox_.take(active_.empty() && waiting_.empty());
        for (std::unique_ptr<Sequence>& s : mail_.submitted) waiting_.push_back(std::move(s));
        if (mail_.closed) return;
        for (const RequestId id : mail_.cancelled) cancel(id);
        admit();
        publish_load();
        if (!active_.empty()) step();
    }

    void end_all(FinishReason reason, const char* why = "") {
        const auto end = [&](const std::unique_ptr<Sequence>& s) {
            if (!s) return;
            if (!s->ended()) s->end(reason, why);
            s->tell_end();
        };
        std::ranges::for_each(active_, end);
        std::ranges::for_each(waiting_, end);
        std::ranges::for_each(mail_.submitted, end);
        active_.clear();
        waiting_.clear();
        mail_.submitted.clear();
    }

    void publish_load() {
        const std::lock_guard lock(load_mutex_);
        const auto n_alive = [](const auto& sequences) {
            return static_cast<int>(std::ranges::count_if(sequences, [](const auto& s) { return !s->ended(); }));
        };
        load_ = {.n_running = n_alive(active_),
                 .n_waiting = n_alive(waiting_),
                 .n_pages = pool_.n_total(),
                 .n_pages_used = pool_.n_total() - pool_.n_free() - cache_.n_pages(),
                 .n_pages_kept = cache_.n_pages()};
    }

    void cancel(RequestId id) {
        const auto is_it = [&](const auto& s) { return s->id() == id; };
        if (const auto it = std::find_if(waiting_.begin(), waiting_.end(), is_it); it != waiting_.end()) {
            (*it)->end(FinishReason::cancelled);
            retire(**it);
            waiting_.erase(it);
        }
        if (const auto it = std::find_if(active_.begin(), active_.end(), is_it); it != active_.end()) {
            (*it)->end(FinishReason::cancelled);
            retire(**it);
            active_.erase(it);
        }
    }

    // In the order of arrival, nobody overtakes. Every page a sequence may need is reserved here: it never runs out later.
    void admit() {
        while (!waiting_.empty() && static_cast<int>(active_.size()) < options_.n_sequences) {
            Sequence& next = *waiting_.front();
            if (std::ranges::any_of(active_, [&](const auto& s) { return s->is_worth_waiting_for(next.spec()); })) return;
            const std::span<const int32_t> prompt = next.spec().prompt;
            // The last token of the prompt is always run, for its logits.
            CachedTokens cached = cache_.find(prompt.first(prompt.size() - 1), next.spec().cache_salt);
            while (!cached.pages.resize(pages_for(next.n_positions()))) {
                if (cache_.drop_oldest()) continue;
                cache_.keep(std::move(cached), next.spec().cache_salt);
                return;
            }
            next.admit(std::move(cached));
            active_.push_back(std::move(waiting_.front()));
            waiting_.pop_front();
        }
    }

    void step() {
        const Step step = plan_step(active_, options_.n_ubatch, options_.n_draft);
        std::vector<RequestId> ids;
        for (const Step::Part& part : step.parts) ids.push_back(part.sequence->id());
        inbox_.begin_step(std::move(ids));
        try {
            deliver(step, forward(step));
        } catch (const Cancelled&) {
            // Who cancelled it stands in the mail.
        } catch (const std::exception& e) {
            for (const Step::Part& part : step.parts) {
                if (!part.sequence->ended()) part.sequence->end(FinishReason::error, e.what());
                retire(*part.sequence);
            }
        }
        std::erase_if(active_, [](const auto& s) { return s->ended(); });
    }

    // Watched where one of its requests is: that costs time, and changes no bit of anybody's.
    Value forward(const Step& step) {
        std::vector<Activations*> whose;
        for (const Step::Part& part : step.parts) whose.push_back(part.sequence->watched());
        if (std::ranges::none_of(whose, [](auto* a) { return a != nullptr; })) return parts_.model.forward(parts_.math, step.batch);
        StepWatch watch(step.batch, std::move(whose));
        const Attached attached(parts_.math, watch);
        return parts_.model.forward(parts_.math, step.batch);
    }

    void deliver(const Step& step, Value logits) {
        for (const Step::Part& part : step.parts) {
            Sequence& s = *part.sequence;
            s.advance(part.n_rows);
            if (part.output < 0) continue;
            if (s.spec().embed)
                embed(s, {Stage::final_norm, logits.rows, parts_.model.config().n_embd}, part.output);
            else
                answer(s, logits, part);
            if (s.ended()) retire(s);
        }
    }

    void answer(Sequence& s, Value logits, const Step::Part& part) {
        const size_t n = part.guess.size();
        s.count_drafted(n);
        for (size_t i = 0; go_on(s, logits, part.output + static_cast<int>(i), i < n ? part.guess[i] : no_guess); ++i) continue;
        // Its prompt has run, and well: whoever begins like it need not wait until it ends.
        if (s.n_answer() == 1 && !s.ended())
            cache_.share(s.tokens().first(static_cast<size_t>(s.n_cached())), s.pages(), s.spec().cache_salt);
    }

    // `hidden` was made on the way to the logits, and is kept until the next pass.
    void embed(Sequence& s, Value hidden, int row) {
        std::vector<float> values(static_cast<size_t>(hidden.width));
        parts_.math.read_row(hidden, row, values);
        if (!all_finite(values)) return s.end(FinishReason::not_finite, "non-finite embedding");
        s.accept(std::move(values));
    }

    // Accepts the token that `row` leads to. True when that was guessed, so that its own row has run, too, and can be gone on from.
    bool go_on(Sequence& s, Value logits, int row, int32_t guess) {
        parts_.math.read_row(logits, row, row_);
        parts_.math.read_peaks(logits, row, peaks_);
        if (!all_finite(peaks_)) return s.end(FinishReason::not_finite, "non-finite logits"), false;
        try {
            const std::optional<grammar::TokenMask> mask = s.allowed();
            const grammar::TokenMask* allowed = mask ? &*mask : nullptr;
            const GenerationSpec& spec = s.spec();
            const int32_t token =
                sampler_.choose(spec.sampling, {row_, peaks_}, {s.tokens(), static_cast<uint64_t>(s.n_answer()), allowed});
            const bool guessed = token == guess;
            if (guessed) s.advance_guess();
            s.accept(token, spec.logprobs ? logprobs_of(row_, token, *spec.logprobs, allowed) : std::vector<TokenLogprob>{});
            return guessed && !s.ended();
        } catch (const InputError& e) {  // of its grammar; the others have nothing to do with it
            s.end(FinishReason::error, e.what());
            return false;
        }
    }

    // Its pages are free, and the load says so, before anybody hears of its end. Once more after a failure on the way: it goes on there.
    void retire(Sequence& s) {
        if (auto cached = s.release()) cache_.keep(std::move(*cached), s.spec().cache_salt);
        publish_load();
        s.tell_end();
    }

    EngineParts parts_;
    EngineOptions options_;
    Inbox& inbox_;
    PagePool pool_;
    PrefixCache cache_{pool_};
    Sampler sampler_;
    std::vector<float> row_, peaks_;  // logits of one row
    Inbox::Mail mail_;
    std::deque<std::unique_ptr<Sequence>> waiting_;
    std::vector<std::unique_ptr<Sequence>> active_;
    mutable std::mutex load_mutex_;
    EngineLoad load_;
};

}  // namespace

struct Engine::State {
    State(const EngineParts& parts, const EngineOptions& options)
        : n_pages(options.n_pages), tokenizer(parts.tokenizer), loop(parts, options, inbox) {}
    int n_pages;
    const Tokenizer& tokenizer;
    Inbox inbox;
    Loop loop;
};

Engine::Engine(const EngineParts& parts, const EngineOptions& options) {
    if (options.n_pages < 1) throw InputError("engine", "the KV cache has no pages");
    if (options.n_sequences < 1) throw InputError("engine", "at least one sequence must run");
    if (options.n_ubatch < options.n_sequences)
        throw InputError("ubatch", std::to_string(options.n_ubatch) + " rows are fewer than " + std::to_string(options.n_sequences) +
                                       " sequences that run at once");
    state_ = std::make_unique<State>(parts, options);
    thread_ = std::thread([this] { state_->loop.run(); });
}

Engine::~Engine() {
    state_->inbox.close();
    thread_.join();
}

RequestId Engine::submit(GenerationRequest request, Sink sink) {
    if (pages_for(request.n_positions()) > state_->n_pages)
        throw InputError("prompt", std::to_string(request.n_positions()) + " positions of prompt and answer do not fit a KV cache of " +
                                       std::to_string(state_->n_pages * page_positions));
    // Made here, so that memory that is lacking is the caller's error.
    const RequestId id = state_->inbox.next_id();
    state_->inbox.submit(std::make_unique<Sequence>(
        Sequence::Origin{id, std::move(request), std::move(sink), std::chrono::steady_clock::now()}, state_->tokenizer));
    return id;
}

void Engine::cancel(RequestId id) { state_->inbox.cancel(id); }

EngineLoad Engine::load() const { return state_->loop.load(); }

}  // namespace kylin
