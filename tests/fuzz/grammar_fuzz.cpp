// libFuzzer: any JSON is a schema that is refused with an InputError, or one under which a text of some length can be written: at no point
// is there no token that may come next.
#include "base/error.h"
#include "base/random.h"
#include "grammar/answers.h"
#include "grammar/small_vocabulary.h"
#include "grammar/walk.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace kylin::grammar;
    static const SmallVocabulary vocabulary;
    const Json schema = Json::parse(data, data + size, nullptr, false);
    if (schema.is_discarded()) return 0;
    Limits limits;
    limits.fuel = 200'000;  // for the speed of the search
    try {
        const Constraint constraint(compile(json_schema_answer(schema, "schema", Thoughts::none, limits)), vocabulary.masks);
        kylin::Random random(size);
        random_walk(constraint, vocabulary.masks->trie(), random, 10, 40);
    } catch (const kylin::InputError& e) {
        if (std::string_view(e.what()).starts_with("grammar: no token")) __builtin_trap();
    }
    return 0;
}
