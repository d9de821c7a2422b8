// Answers requests, many at a time, on a thread of its own.
#pragma once
#include <memory>
#include <thread>

#include "engine/event.h"
#include "engine/request.h"
#include "model/model.h"
#include "model/numerics.h"
#include "text/tokenizer.h"

namespace kylin {

struct EngineOptions {
    int n_pages;          // of the numerics' KV cache
    int n_sequences = 1;  // at once; the others wait in the order of their arrival
    int n_ubatch = 256;   // rows of one step; at least n_sequences. 5 % faster than 512 on a Zen 4: outputs stay in the cache
    int n_draft = 7;      // tokens guessed and run beside the last of an answer, at most; 0: none
};

// The parts must outlive the engine, and nobody else uses the numerics meanwhile.
struct EngineParts {
    const Model& model;
    Numerics& math;
    const Tokenizer& tokenizer;
};

// What the engine has in hand at the beginning of a step, less what has ended since.
struct EngineLoad {
    int n_running = 0, n_waiting = 0;
    int n_pages = 0, n_pages_used = 0, n_pages_kept = 0;  // kept: of ended answers, given up when others need them
};

class Engine {
public:
    Engine(const EngineParts& parts, const EngineOptions& options);  // throws InputError
    ~Engine();                                                       // requests that still run end as cancelled
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // Any thread. The sink gets events until one with a finish, which always comes.
    // Throws InputError when the request can never fit the KV cache.
    RequestId submit(GenerationRequest request, Sink sink);
    // Any thread. Takes effect before the next step; a request that is unknown or has ended is left alone.
    void cancel(RequestId id);
    // Any thread.
    EngineLoad load() const;

private:
    struct State;
    std::unique_ptr<State> state_;
    std::thread thread_;
};

}  // namespace kylin
