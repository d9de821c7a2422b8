// libFuzzer: any body is refused with an InputError that names a place, or becomes a call whose numbers are in their ranges.
// Input: a byte that chooses the API, and the body.
#include "base/error.h"
#include "fuzz/require.h"
#include "server/request_schema.h"
#include "text/unicode.h"

namespace {

using namespace kylin;

void check(server::Call call) {
    require(call.n >= 1 && call.n <= server::max_choices, "n is in its range");
    require(call.spec.max_tokens == -1 || call.spec.max_tokens >= 1, "max_tokens is in its range");
    require(!call.top_logprobs || (*call.top_logprobs >= 0 && *call.top_logprobs <= 20), "top_logprobs is in its range");
    for (const SamplingField& field : sampling_fields()) {
        const double value = std::visit([&](auto member) { return static_cast<double>(call.spec.sampling.*member); }, field.member);
        require(value >= field.low && value <= field.high, "sampling is in its range");
    }
    call.spec.prompt = {1, 2, 3};
    const GenerationRequest request(std::move(call.spec), {.n_vocab = 100, .n_ctx = 64});
    require(request.max_tokens() >= 1 && request.n_positions() <= 64, "an answer fits its context");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    constexpr server::Api apis[] = {server::api_generate, server::api_completions, server::api_chat, server::api_embeddings};
    try {
        const server::Json body = server::parse_json({reinterpret_cast<const char*>(data + 1), size - 1});
        require(to_valid_utf8(server::dump(body)) == server::dump(body), "JSON is UTF-8");
        check(server::parse_call(body, apis[data[0] % 4], {}));
    } catch (const InputError& e) {
        require(!e.where().empty(), "an error names its place");
    }
    return 0;
}
