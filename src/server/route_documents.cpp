#include "server/route_documents.h"

#include "server/request_schema.h"

namespace kylin::server {
namespace {

constexpr RouteDocument documents[] = {
    {"GET", "/", "Name, version and routes; browsers get the chat", 0, "", "", "Root"},
    {"GET", "/health", "Whether the server answers", 0, "", "", "Health"},
    {"GET", "/openapi.json", "This interface for programs, in OpenAPI 3.1", 0, "", "", "OpenApi"},
    {"GET", "/model/info", "Shape and context of the model, and the sampling settings that hold for what a request leaves out", 0, "", "",
     "ModelInfo"},
    {"POST", "/generate", "Answer one prompt", api_generate, "", R"({"prompt": "Hello, how are you?", "max_tokens": 50, "temperature": 0})",
     "Generation"},
    {"POST", "/generate_stream", "The same as server-sent events; the last one has `finish_reason`", api_generate, "",
     R"({"prompt": "Hello, how are you?", "max_tokens": 50, "temperature": 0})", "", true},
    {"POST", "/encode", "A text's tokens; with `special` those of special tokens in it, too", 0,
     R"({"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}, "special": {"type": ["boolean", "null"]}}})",
     R"({"text": "Hello"})", "Encoded"},
    {"POST", "/decode", "The text of tokens", 0,
     R"({"type": "object", "required": ["tokens"], "properties": {"tokens": {"type": "array", "items": {"type": "integer", "minimum": 0}}}})",
     R"({"tokens": [72, 101, 108, 108, 111]})", "Decoded"},
    {"POST", "/benchmark", "Run random tokens once and report the speed; it takes its turn like any request", 0,
     R"({"type": "object", "properties": {"prompt_tokens": {"type": ["integer", "null"], "minimum": 1}, "answer_tokens": {"type": ["integer", "null"], "minimum": 1}}})",
     R"({"prompt_tokens": 64, "answer_tokens": 16})", "Benchmark"},
    {"GET", "/v1/models", "The one model that is served", 0, "", "", "Models"},
    {"POST", "/v1/chat/completions", "Answer a conversation", api_chat, "",
     R"({"messages": [{"role": "user", "content": "What is the capital of France?"}], "max_tokens": 50, "temperature": 0})",
     "ChatCompletion", true},
    {"POST", "/v1/completions", "Continue a text", api_completions, "",
     R"({"prompt": "Once upon a time", "max_tokens": 16, "temperature": 0})", "Completion", true},
    {"POST", "/v1/embeddings", "Vectors of texts", api_embeddings, "", R"({"input": ["Hello", "Good morning"]})", "Embeddings"},
    {"GET", "/metrics", "Counts and times for Prometheus", 0, "", "", ""},
    {"GET", "/slots", "What runs and waits, without the texts", 0, "", "", "Slots"},
    {"GET", "/numerics", "The values of the last watched answer, or with `?id=` of another one that is kept, and the audit's figures", 0,
     "", "", "Numerics"},
};

constexpr NamedSchema schemas[] = {
    {"Error", R"({"type": "object", "required": ["error"], "properties": {"error": {"type": "object",
        "required": ["message", "type", "param", "code"], "properties": {"message": {"type": "string"}, "type": {"type": "string"},
        "param": {"type": ["string", "null"], "description": "The field at fault"}, "code": {"type": ["string", "null"]}}}}})"},
    {"Root", R"({"type": "object", "required": ["server", "model", "routes"], "properties": {"server": {"type": "string"},
        "model": {"type": "string"}, "routes": {"type": "array", "items": {"type": "string"}}}})"},
    {"Health", R"({"type": "object", "required": ["status"], "properties": {"status": {"const": "ok"}}})"},
    {"OpenApi", R"({"type": "object", "required": ["openapi", "info", "paths"]})"},
    {"ModelInfo",
     R"({"type": "object", "required": ["name", "architecture", "vocabulary", "layers", "embedding_width", "context", "parallel",
        "recommended"], "properties": {"name": {"type": "string"}, "architecture": {"type": "string"}, "vocabulary": {"type": "integer"},
        "layers": {"type": "integer"}, "embedding_width": {"type": "integer"}, "context": {"type": "integer"},
        "parallel": {"type": "integer"}, "recommended": {"type": "object", "additionalProperties": {"type": "number"}}}})"},
    {"Timings", R"({"type": "object", "required": ["queue_seconds", "prompt_seconds", "answer_seconds", "prompt_tokens_per_second",
        "answer_tokens_per_second"], "additionalProperties": {"type": "number"}})"},
    {"Generation", R"({"type": "object", "required": ["model", "seed", "text", "tokens", "finish_reason", "usage", "timings"],
        "properties": {"model": {"type": "string"}, "seed": {"type": "integer"}, "text": {"type": "string"},
        "tokens": {"type": "array", "items": {"type": "integer"}}, "finish_reason": {"enum": ["stop", "length"]},
        "usage": {"type": "object", "required": ["prompt_tokens", "cached_tokens", "answer_tokens"],
        "additionalProperties": {"type": "integer"}}, "timings": {"$ref": "#/components/schemas/Timings"}}})"},
    {"Encoded", R"({"type": "object", "required": ["tokens", "count"], "properties": {"tokens": {"type": "array",
        "items": {"type": "integer"}}, "count": {"type": "integer"}}})"},
    {"Decoded", R"({"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}})"},
    {"Benchmark",
     R"({"allOf": [{"$ref": "#/components/schemas/Timings"}, {"type": "object", "required": ["prompt_tokens", "answer_tokens"]}]})"},
    {"Models", R"({"type": "object", "required": ["object", "data"], "properties": {"object": {"const": "list"}, "data": {"type": "array",
        "items": {"type": "object", "required": ["id", "object", "created", "owned_by"]}}}})"},
    {"Usage", R"({"type": "object", "required": ["prompt_tokens", "total_tokens"], "properties": {"prompt_tokens": {"type": "integer"},
        "completion_tokens": {"type": "integer"}, "total_tokens": {"type": "integer"}, "prompt_tokens_details": {"type": "object",
        "properties": {"cached_tokens": {"type": "integer"}}}, "completion_tokens_details": {"type": "object",
        "additionalProperties": {"type": "integer"}}}})"},
    {"ChatCompletion", R"({"type": "object", "required": ["id", "object", "created", "model", "choices", "usage"],
        "properties": {"object": {"const": "chat.completion"}, "usage": {"$ref": "#/components/schemas/Usage"}, "choices": {"type": "array",
        "items": {"type": "object", "required": ["index", "message", "logprobs", "finish_reason"], "properties": {
        "message": {"type": "object", "required": ["role", "content"], "properties": {"role": {"const": "assistant"},
        "content": {"type": ["string", "null"]}, "reasoning_content": {"type": "string"}, "tool_calls": {"type": "array", "items": {
        "type": "object", "required": ["id", "type", "function"], "properties": {"function": {"type": "object",
        "required": ["name", "arguments"], "properties": {"name": {"type": "string"}, "arguments": {"type": "string"}}}}}}}},
        "finish_reason": {"type": "string"}, "timings": {"$ref": "#/components/schemas/Timings"}}}}}})"},
    {"Completion", R"({"type": "object", "required": ["id", "object", "created", "model", "choices", "usage"],
        "properties": {"object": {"const": "text_completion"}, "usage": {"$ref": "#/components/schemas/Usage"}, "choices": {"type": "array",
        "items": {"type": "object", "required": ["index", "text", "logprobs", "finish_reason"],
        "properties": {"text": {"type": "string"}, "finish_reason": {"type": "string"}}}}}})"},
    {"Embeddings", R"({"type": "object", "required": ["object", "data", "model", "usage"], "properties": {"object": {"const": "list"},
        "usage": {"$ref": "#/components/schemas/Usage"}, "data": {"type": "array", "items": {"type": "object",
        "required": ["object", "index", "embedding"], "properties": {"index": {"type": "integer"},
        "embedding": {"type": ["array", "string"], "items": {"type": "number"}}}}}}})"},
    {"Slots", R"({"type": "object", "required": ["parallel", "running", "waiting", "kv_pages", "answers"], "properties": {
        "parallel": {"type": "integer"}, "running": {"type": "integer"}, "waiting": {"type": "integer"}, "kv_pages": {"type": "object",
        "required": ["total", "used", "kept"], "additionalProperties": {"type": "integer"}}, "answers": {"type": "array",
        "items": {"type": "object", "required": ["request", "choice", "prompt_tokens", "answer_tokens", "seconds"]}}}})"},
    {"Numerics", R"({"type": "object", "required": ["format", "model", "stages", "answer", "audit"], "properties": {
        "format": {"const": "kylin.numerics/1"}, "model": {"type": "object", "required": ["name", "n_layer"]}, "stages": {"type": "array",
        "items": {"type": "object", "required": ["name", "per_layer", "meaning"]}}, "answer": {"type": ["object", "null"],
        "required": ["id", "prompt_tokens", "cached_tokens", "answer_tokens", "largest", "not_finite"], "properties": {
        "largest": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": ["number", "null"]}}},
        "not_finite": {"type": "array", "items": {"type": "object", "required": ["stage", "layer", "nan", "inf"]}}}},
        "audit": {"type": ["object", "null"]}}})"},
};

}  // namespace

std::span<const RouteDocument> route_documents() { return documents; }

std::span<const NamedSchema> answer_schemas() { return schemas; }

}  // namespace kylin::server
