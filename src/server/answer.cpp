#include "server/answer.h"

#include <algorithm>
#include <exception>
#include <fmt/format.h>
#include <iterator>

#include "server/http_error.h"
#include "server/sse.h"

namespace kylin::server {
namespace {

class Answer {
public:
    Answer(Generations& generations, const Tokenizer& tokenizer, AnswerPlan plan, size_t n_choices, std::shared_ptr<Exchange> exchange)
        : generations_(generations),
          tokenizer_(tokenizer),
          plan_(std::move(plan)),
          exchange_(std::move(exchange)),
          thoughts_(n_choices, ThinkSplitter(plan_.starts_inside_thoughts)),
          calls_(plan_.tools ? n_choices : 0, ToolCallSplitter(plan_.tools)),
          gathered_(n_choices) {}

    void set_ticket(Generations::Ticket ticket) { ticket_ = ticket; }
    void begin() {
        if (!plan_.stream) return;
        exchange_->begin_events();
        for (size_t i = 0; i < gathered_.size(); ++i) send(plan_.format->first(i));
    }
    void cancel() { generations_.cancel(ticket_); }

    // Never throws: it is called from the I/O thread's own loop.
    void on_event(size_t index, const TokenEvent& event) {
        try {
            take(index, event);
        } catch (const std::exception& e) {
            fail(500, e.what());
        }
    }

private:
    void take(size_t index, const TokenEvent& event) {
        if (event.finish && (is_error(event.finish->reason) || event.finish->reason == FinishReason::cancelled))
            return fail_as(*event.finish);
        Piece piece = piece_of(index, event);
        if (plan_.stream) send(plan_.format->chunks(index, piece));
        gather(gathered_[index], std::move(piece));
        if (event.finish && ++n_finished_ == gathered_.size()) finish();
    }

    Piece piece_of(size_t index, const TokenEvent& event) {
        Piece piece{.finish = event.finish};
        if (event.token) piece.tokens.push_back(*event.token);
        // A token that is not shown, such as the one that ends the answer, has no place among those that are.
        const bool shown = event.token && !tokenizer_.is_control(*event.token) && !tokenizer_.ends_generation(*event.token);
        if (shown && !event.logprobs.empty()) piece.logprobs.push_back(event.logprobs);
        if (!plan_.format->splits_thoughts()) {
            piece.text = event.text;
            return piece;
        }
        ThinkSplitter::Parts parts = thoughts_[index].push(event.text);
        piece.text = std::move(parts.content);
        piece.reasoning = std::move(parts.reasoning);
        if (event.finish) {
            parts = thoughts_[index].finish();
            piece.text += parts.content;
            piece.reasoning += parts.reasoning;
        }
        if (plan_.tools) take_calls(calls_[index], piece);
        return piece;
    }

    static void take_calls(ToolCallSplitter& splitter, Piece& piece) {
        ToolCallSplitter::Parts parts = splitter.push(piece.text);
        if (piece.finish) {
            ToolCallSplitter::Parts rest = splitter.finish();
            parts.content += rest.content;
            std::ranges::move(rest.calls, std::back_inserter(parts.calls));
        }
        piece.text = std::move(parts.content);
        piece.calls = std::move(parts.calls);
        piece.has_called = splitter.n_calls() > 0;
    }

    // A stream keeps only what its end still needs.
    void gather(Piece& sum, Piece piece) const {
        if (piece.finish) sum.finish = std::move(piece.finish);
        sum.has_called = piece.has_called;
        if (plan_.stream) return;
        std::ranges::move(piece.calls, std::back_inserter(sum.calls));
        sum.text += piece.text;
        sum.reasoning += piece.reasoning;
        sum.tokens.insert(sum.tokens.end(), piece.tokens.begin(), piece.tokens.end());
        for (auto& entry : piece.logprobs) sum.logprobs.push_back(std::move(entry));
    }

    UsageSum usage() const {
        UsageSum sum;
        for (size_t i = 0; i < gathered_.size(); ++i) {
            const Usage& usage = gathered_[i].finish->usage;
            sum.n_answer += usage.n_answer;
            sum.n_drafted += usage.n_drafted;
            sum.n_accepted += usage.n_accepted;
            if (i % static_cast<size_t>(plan_.n_per_prompt) != 0) continue;
            sum.n_prompt += usage.n_prompt;
            sum.n_reused += usage.n_reused;
        }
        return sum;
    }

    void send(const std::vector<Json>& events) {
        std::string text;
        for (const Json& event : events) text += sse_event(dump(event));
        exchange_->send(text);
    }

    void finish() {
        const UsageSum sum = usage();
        exchange_->note(fmt::format(" prompt_tokens={} cached_tokens={} answer_tokens={} finish={}", sum.n_prompt, sum.n_reused,
                                    sum.n_answer, name(gathered_[0].finish->reason)));
        if (!plan_.stream) return exchange_->respond({.body = dump(plan_.format->whole(gathered_, sum)) + "\n"});
        send(plan_.format->last(sum));
        if (plan_.format->ends_with_done()) exchange_->send(sse_event("[DONE]"));
        exchange_->end();
    }

    void fail_as(const Finish& finish) {
        if (finish.reason == FinishReason::cancelled) return fail(503, "the server is ending");
        fail(500, finish.message);
    }

    // One choice that fails fails the request: half an answer would pass for a whole one.
    void fail(int status, std::string_view what) {
        cancel();
        exchange_->note(" error=" + dump(what));
        if (!plan_.stream) return exchange_->respond(error_response(status, what));
        exchange_->send(sse_event(error_json(status, what)));
        exchange_->end();
    }

    Generations& generations_;
    const Tokenizer& tokenizer_;
    AnswerPlan plan_;
    std::shared_ptr<Exchange> exchange_;
    std::vector<ThinkSplitter> thoughts_;
    std::vector<ToolCallSplitter> calls_;  // none without tools
    std::vector<Piece> gathered_;
    size_t n_finished_ = 0;
    Generations::Ticket ticket_ = 0;
};

}  // namespace

void start_answer(Generations& generations, const Tokenizer& tokenizer, AnswerPlan plan, std::shared_ptr<Exchange> exchange) {
    std::vector<GenerationRequest> requests = std::move(plan.requests);
    Generations::Names names = std::move(plan.names);
    const auto answer = std::make_shared<Answer>(generations, tokenizer, std::move(plan), requests.size(), exchange);
    answer->set_ticket(generations.start(std::move(names), std::move(requests),
                                         [answer](size_t i, const TokenEvent& event) { answer->on_event(i, event); }));
    answer->begin();
    exchange->on_abandoned([weak = std::weak_ptr(answer)] {
        if (const auto abandoned = weak.lock()) abandoned->cancel();
    });
}

}  // namespace kylin::server
