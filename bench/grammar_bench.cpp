// What constrained decoding costs: grammar_bench VOCABULARY.gguf. Names read compile/<schema>, mask/<schema>/<place>, answer/<schema>.
// A mask is found for the place where the text so far ends; `first`: nothing of it has been found before, for any
// grammar. An answer is all masks and tokens of one text: time per token.
#include <benchmark/benchmark.h>
#include <cstdio>

#include "grammar/answers.h"
#include "grammar/constraint.h"

namespace kylin::grammar {
namespace {

struct Sample {
    const char *name, *schema;
    const char* answer;  // satisfies it
};

constexpr Sample samples[] = {
    {"any", "{}",
     R"({"title": "Grammar-based decoding", "tags": ["json", "schema", "mask"], "score": 0.75, "nested": {"ok": true, "none": null}})"},
    {"person",
     R"({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0, "maximum": 150},
         "email": {"type": "string", "format": "email"}, "tags": {"type": "array", "items": {"type": "string"}}},
         "required": ["name", "age", "email", "tags"], "additionalProperties": false})",
     R"({"name": "Ada Lovelace", "age": 36, "email": "ada@example.org", "tags": ["mathematics", "analytical engine", "poetry"]})"},
    {"bounded", R"({"type": "object", "properties": {"summary": {"type": "string", "minLength": 10, "maxLength": 400}}})",
     R"({"summary": "A grammar restricts the next token to those that keep the text valid, so the answer always parses."})"},
    {"pattern", R"({"type": "object", "properties": {"id": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4,8}$"},
                   "slug": {"type": "string", "pattern": "^[a-z]+(-[a-z]+)*$"}}})",
     R"({"id": "KY-20240117", "slug": "constrained-decoding-by-a-grammar"})"},
    {"tree", R"({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {"label": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}}, "required": ["label", "children"]}}})",
     R"({"label": "root", "children": [{"label": "left leaf", "children": []}, {"label": "right", "children": [{"label": "x", "children": []}]}]})"},
};

struct Vocabulary {
    explicit Vocabulary(const char* path)
        : tokenizer(Tokenizer::load(gguf::File::open(path))), masks(std::make_shared<const MaskCache>(TokenTrie(tokenizer))) {}
    Tokenizer tokenizer;
    std::shared_ptr<const MaskCache> masks;
};

Program program_of(const Sample& sample) { return compile(json_schema_answer(Json::parse(sample.schema), "schema", Thoughts::none)); }

void run_compile(benchmark::State& state, const Sample& sample) {
    const Json schema = Json::parse(sample.schema);
    size_t n_nodes = 0;
    for (auto _ : state) n_nodes = compile(json_schema_answer(schema, "schema", Thoughts::none)).nodes.size();
    state.counters["nodes"] = static_cast<double>(n_nodes);
}

void run_mask(benchmark::State& state, const Vocabulary& vocabulary, const Sample& sample, std::string_view so_far, bool first) {
    auto constraint = std::make_unique<Constraint>(program_of(sample), vocabulary.masks);
    size_t n_allowed = 0;
    for (auto _ : state) {
        if (first) {
            state.PauseTiming();
            auto masks = std::make_shared<const MaskCache>(TokenTrie(vocabulary.masks->trie()));
            constraint = std::make_unique<Constraint>(program_of(sample), std::move(masks));
            state.ResumeTiming();
        }
        Matcher matcher = constraint->start();
        if (!matcher.accept(so_far)) state.SkipWithError("the text does not fit the schema");
        n_allowed = constraint->mask(matcher).size();
    }
    state.counters["allowed"] = static_cast<double>(n_allowed);
}

void run_answer(benchmark::State& state, const Vocabulary& vocabulary, const Sample& sample) {
    const Constraint constraint(program_of(sample), vocabulary.masks);
    const std::vector<int32_t> tokens = vocabulary.tokenizer.encode(sample.answer, Special::text);
    for (auto _ : state) {
        Matcher matcher = constraint.start();
        for (const int32_t token : tokens)
            if (!constraint.mask(matcher).allows(static_cast<size_t>(token)) || !constraint.accept(matcher, token))
                state.SkipWithError("the answer does not fit the schema");
    }
    state.counters["s/token"] = benchmark::Counter(static_cast<double>(state.iterations() * static_cast<int64_t>(tokens.size())),
                                                   benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

struct Place {
    const char* name;
    size_t sample;
    const char* so_far;
};
constexpr Place places[] = {
    {"start", 1, ""},
    {"name", 1, "{\""},
    {"string", 1, R"({"name": "Ada)"},
    {"number", 1, R"({"name": "Ada", "age": 3)"},
    {"any_value", 0, "{\"a\": "},
    {"any_string", 0, "\""},
    {"near_limit", 2, R"({"summary": "A grammar rest)"},
    {"pattern", 3, R"({"id": "KY-2024", "slug": "constr)"},
};

void register_all(const Vocabulary& vocabulary) {
    for (const Sample& s : samples) {
        benchmark::RegisterBenchmark((std::string("compile/") + s.name).c_str(), run_compile, s);
        benchmark::RegisterBenchmark((std::string("answer/") + s.name).c_str(),
                                     [&vocabulary, s](benchmark::State& state) { run_answer(state, vocabulary, s); });
    }
    for (const Place& p : places)
        for (const bool first : {true, false}) {
            const std::string name = std::string("mask/") + samples[p.sample].name + "/" + p.name + (first ? "/first" : "");
            benchmark::RegisterBenchmark(name.c_str(), [&vocabulary, p, first](benchmark::State& state) {
                run_mask(state, vocabulary, samples[p.sample], p.so_far, first);
            })->Unit(benchmark::kMicrosecond);
        }
    benchmark::RegisterBenchmark("tree", [&vocabulary](benchmark::State& state) {
        for (auto _ : state) benchmark::DoNotOptimize(TokenTrie(vocabulary.tokenizer).size());
        state.counters["nodes"] = static_cast<double>(vocabulary.masks->trie().size());
    })->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace kylin::grammar

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (argc != 2) {
        std::fprintf(stderr, "usage: grammar_bench [--benchmark_…] VOCABULARY.gguf\n");
        return 2;
    }
    const kylin::grammar::Vocabulary vocabulary(argv[1]);
    kylin::grammar::register_all(vocabulary);
    benchmark::RunSpecifiedBenchmarks();
}
