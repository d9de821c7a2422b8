// One request's events, for the thread that asked.
#pragma once
#include <chrono>
#include <memory>
#include <optional>

#include "engine/engine.h"

namespace kylin::cli {

class AnswerStream {
public:
    AnswerStream(Engine& engine, GenerationRequest request);
    ~AnswerStream();  // cancels what still runs
    AnswerStream(const AnswerStream&) = delete;
    AnswerStream& operator=(const AnswerStream&) = delete;

    // The next event; nullopt when none came in time. The last one has a finish.
    std::optional<TokenEvent> next(std::chrono::milliseconds timeout);
    void cancel() { engine_.cancel(id_); }  // the event with the finish still comes

private:
    struct Events;
    Engine& engine_;
    std::shared_ptr<Events> events_;
    RequestId id_;
};

}  // namespace kylin::cli
