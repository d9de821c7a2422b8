#include "session.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <ggml-backend.h>
#include <map>
#include <stdexcept>

namespace kylin::reference {
namespace {

struct LogSink {
    bool verbose = false;
    std::string error;  // the first since the last call that may fail: the reason is told to nobody but the log
};

// llama.cpp's log is global, so its sink is too.
LogSink& log_sink() {
    static LogSink sink;
    return sink;
}

void take_log(ggml_log_level level, const char* text, void*) {
    LogSink& sink = log_sink();
    if (sink.verbose) fputs(text, stderr);
    if (level == GGML_LOG_LEVEL_ERROR && sink.error.empty()) sink.error = text;
}

void forget_errors() { log_sink().error.clear(); }

std::string reason() {
    std::string text = log_sink().error;
    while (!text.empty() && text.back() == '\n') text.pop_back();
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text.empty() ? "no reason given" : text;
}

llama_model_kv_override parse_override(const std::string& entry) {
    const size_t equals = entry.find('=');
    const size_t colon = entry.find(':', equals == std::string::npos ? 0 : equals);
    const auto refuse = [&] { return std::runtime_error("--override-kv " + entry + ": expected KEY=TYPE:VALUE"); };
    if (equals == std::string::npos || colon == std::string::npos) throw refuse();
    const std::string key = entry.substr(0, equals), type = entry.substr(equals + 1, colon - equals - 1), value = entry.substr(colon + 1);

    llama_model_kv_override parsed{};
    if (key.empty() || key.size() >= sizeof parsed.key) throw refuse();
    std::memcpy(parsed.key, key.data(), key.size());
    try {
        size_t used = value.size();
        if (type == "int") {
            parsed.tag = LLAMA_KV_OVERRIDE_TYPE_INT;
            parsed.val_i64 = std::stoll(value, &used);
        } else if (type == "float") {
            parsed.tag = LLAMA_KV_OVERRIDE_TYPE_FLOAT;
            parsed.val_f64 = std::stod(value, &used);
        } else if (type == "bool" && (value == "true" || value == "false")) {
            parsed.tag = LLAMA_KV_OVERRIDE_TYPE_BOOL;
            parsed.val_bool = value == "true";
        } else if (type == "str" && value.size() < sizeof parsed.val_str) {
            parsed.tag = LLAMA_KV_OVERRIDE_TYPE_STR;
            std::memcpy(parsed.val_str, value.data(), value.size());
        } else {
            throw refuse();
        }
        if (used != value.size()) throw refuse();
    } catch (const std::logic_error&) {  // what stoll and stod throw
        throw refuse();
    }
    return parsed;
}

llama_flash_attn_type flash_attention(const std::string& word) {
    static const std::map<std::string, llama_flash_attn_type> types{
        {"auto", LLAMA_FLASH_ATTN_TYPE_AUTO}, {"off", LLAMA_FLASH_ATTN_TYPE_DISABLED}, {"on", LLAMA_FLASH_ATTN_TYPE_ENABLED}};
    return types.at(word);
}

ggml_type cache_type(const std::string& word) {
    static const std::map<std::string, ggml_type> types{
        {"f32", GGML_TYPE_F32}, {"f16", GGML_TYPE_F16}, {"bf16", GGML_TYPE_BF16}, {"q8_0", GGML_TYPE_Q8_0}, {"q4_0", GGML_TYPE_Q4_0}};
    return types.at(word);
}

ModelHandle load(const std::string& path, const llama_model_params& params) {
    if (!std::filesystem::is_regular_file(path)) throw std::runtime_error(path + ": no such file");
    if (!std::ifstream(path)) throw std::runtime_error(path + ": cannot be read");
    forget_errors();
    ModelHandle model(llama_model_load_from_file(path.c_str(), params));
    if (!model) throw std::runtime_error(path + ": llama.cpp cannot load it: " + reason());
    return model;
}

}  // namespace

void start_llama(bool verbose) {
    log_sink().verbose = verbose;
    llama_log_set(take_log, nullptr);
    if (std::string_view(KYLIN_GGML_BACKENDS).empty())
        ggml_backend_load_all();
    else
        ggml_backend_load_all_from_path(KYLIN_GGML_BACKENDS);
    llama_backend_init();
    if (!ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU))
        throw std::runtime_error("no CPU library of ggml found in '" KYLIN_GGML_BACKENDS "'; run reference/install");
}

ModelHandle load_model(const RunOptions& options) {
    std::vector<llama_model_kv_override> overrides;
    for (const std::string& entry : options.overrides) overrides.push_back(parse_override(entry));
    overrides.push_back({});  // an empty key ends the list

    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = 0;
    params.use_extra_bufts = options.repack;
    params.kv_overrides = overrides.data();
    return load(options.model, params);
}

ModelHandle load_vocabulary(const std::string& path, bool verbose) {
    start_llama(verbose);
    llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    return load(path, params);
}

std::vector<llama_token> tokenize(const llama_model& model, const std::string& text, bool parse_special) {
    const llama_vocab* vocab = llama_model_get_vocab(&model);
    std::vector<llama_token> ids(text.size() + 2);  // a token is at least one byte; BOS and EOS
    const int32_t n = llama_tokenize(vocab, text.data(), static_cast<int32_t>(text.size()), ids.data(), static_cast<int32_t>(ids.size()),
                                     true, parse_special);
    if (n < 0) throw std::runtime_error("llama.cpp cannot tokenize the text");
    ids.resize(static_cast<size_t>(n));
    return ids;
}

Session::Session(const RunOptions& options) : options_(options) {
    start_llama(options.verbose);
    model_ = load_model(options_);
    n_vocab_ = llama_vocab_n_tokens(llama_model_get_vocab(model_.get()));
}

void Session::open(int n_tokens, EvalCallback callback, int n_streams) {
    n_tokens_ = n_tokens;
    max_rows_ = options_.ubatch > 0 ? std::min(options_.ubatch, n_tokens) : n_tokens;
    llama_context_params params = llama_context_default_params();
    params.n_seq_max = static_cast<uint32_t>(n_streams);
    params.n_ctx = static_cast<uint32_t>(n_tokens * n_streams);  // each stream has its share
    params.n_batch = params.n_ubatch = static_cast<uint32_t>(std::max(max_rows_, n_streams));
    params.n_threads = params.n_threads_batch = options_.threads;
    params.flash_attn_type = flash_attention(options_.flash_attn);
    params.type_k = params.type_v = cache_type(options_.kv);
    if (ggml_is_quantized(params.type_v) && params.flash_attn_type == LLAMA_FLASH_ATTN_TYPE_DISABLED)
        throw std::runtime_error("--kv " + options_.kv + " needs --flash-attn on: llama.cpp has no other attention over quantized values");
    setenv("LLAMA_ATTN_ROT_DISABLE", options_.rotate_kv ? "0" : "1", 1);  // there is no parameter for it
    params.cb_eval = callback.function;
    params.cb_eval_user_data = callback.user_data;
    params.no_perf = true;
    forget_errors();
    context_.reset(llama_init_from_model(model_.get(), params));
    if (!context_) throw std::runtime_error(options_.model + ": llama.cpp cannot make a context: " + reason());
}

void Session::feed(std::span<const llama_token> tokens, int first, Outputs outputs) {
    if (static_cast<size_t>(first) + tokens.size() > static_cast<size_t>(n_tokens_))
        throw std::runtime_error("the context holds " + std::to_string(n_tokens_) + " tokens, " + std::to_string(tokens.size()) +
                                 " more were asked for at " + std::to_string(first));
    while (!tokens.empty()) {
        const size_t rows = std::min(tokens.size(), static_cast<size_t>(max_rows_));
        std::vector<Row> batch;
        for (size_t i = 0; i < rows; ++i)
            batch.push_back({tokens[i], first + static_cast<int>(i), 0, outputs == Outputs::all || i + 1 == rows});
        step(batch);
        tokens = tokens.subspan(rows);
        first += static_cast<int>(rows);
    }
}

void Session::feed_streams(std::span<const llama_token> tokens, int position) {
    std::vector<Row> batch;
    for (size_t i = 0; i < tokens.size(); ++i) batch.push_back({tokens[i], position, static_cast<int>(i), true});
    step(batch);
}

void Session::step(std::span<const Row> rows) {
    llama_batch batch = llama_batch_init(static_cast<int32_t>(rows.size()), 0, 1);
    const std::unique_ptr<llama_batch, void (*)(llama_batch*)> guard(&batch, [](llama_batch* b) { llama_batch_free(*b); });
    for (size_t i = 0; i < rows.size(); ++i) {
        const Row& row = rows[i];
        if (row.token < 0 || row.token >= n_vocab_)
            throw std::runtime_error("token id " + std::to_string(row.token) + " is outside the vocabulary of " + std::to_string(n_vocab_));
        batch.token[i] = row.token;
        batch.pos[i] = row.position;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = row.stream;
        batch.logits[i] = row.logits;
    }
    batch.n_tokens = static_cast<int32_t>(rows.size());
    forget_errors();
    if (const int32_t status = llama_decode(context_.get(), batch); status != 0)
        throw std::runtime_error("llama.cpp failed in a forward pass (status " + std::to_string(status) + "): " + reason());
    llama_synchronize(context_.get());
}

std::span<const float> Session::logits() const {
    const float* row = llama_get_logits_ith(context_.get(), -1);
    if (!row) throw std::runtime_error("llama.cpp has no logits: " + reason());
    return {row, static_cast<size_t>(n_vocab_)};
}

void Session::forget(int first) { llama_memory_seq_rm(llama_get_memory(context_.get()), 0, first, -1); }

void Session::forget_all() { llama_memory_clear(llama_get_memory(context_.get()), false); }

llama_token argmax(std::span<const float> logits) {
    return static_cast<llama_token>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace kylin::reference
