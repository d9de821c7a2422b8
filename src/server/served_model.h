// What the server answers with. All parts must outlive it.
#pragma once
#include <memory>
#include <string>

#include "engine/engine.h"
#include "engine/request.h"
#include "grammar/mask_cache.h"
#include "model/config.h"
#include "server/audit.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace kylin::server {

struct ServedModel {
    Engine& engine;
    const Tokenizer& tokenizer;
    const ChatTemplate& chat_template;
    const Config& config;
    RequestLimits limits;
    std::string name;                                 // as clients know it
    std::string version;                              // of the program: "0.1.0"
    std::shared_ptr<const grammar::MaskCache> masks;  // of the tokenizer's vocabulary
    Sampling defaults;                                // for what a request leaves out
    int n_parallel;                                   // answers at once
    int n_queue;                                      // and so many more may wait
    Audit* audit = nullptr;                           // off
    bool watch = false;                               // every answer, not only those that ask for it
};

}  // namespace kylin::server
