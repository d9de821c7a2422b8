// walk_schemas FILE N_WALKS N_RANDOM: for each schema of the file, one per line, and for so many made at random, texts that a random model
// would give under it: lines {"schema", "text"} for another program to judge.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "base/error.h"
#include "grammar/answers.h"
#include "grammar/random_schema.h"
#include "grammar/small_vocabulary.h"
#include "grammar/walk.h"

namespace kylin::grammar {
namespace {

void walk(const Json& schema, int n_walks, const SmallVocabulary& vocabulary, Random& random) {
    const Constraint constraint(compile(json_schema_answer(schema, "schema", Thoughts::none)), vocabulary.masks);
    for (int i = 0; i < n_walks; ++i) {
        const Walk walk = random_walk(constraint, vocabulary.masks->trie(), random, 20 + i % 100);
        if (walk.has_ended) std::cout << Json{{"schema", schema}, {"text", walk.text}}.dump() << "\n";
    }
}

}  // namespace
}  // namespace kylin::grammar

int main(int argc, char** argv) {
    using namespace kylin::grammar;
    if (argc != 4) {
        std::fprintf(stderr, "usage: walk_schemas FILE N_WALKS N_RANDOM\n");
        return 2;
    }
    const SmallVocabulary vocabulary;
    kylin::Random random(2024);
    std::ifstream file(argv[1]);
    for (std::string line; std::getline(file, line);) walk(Json::parse(line), std::atoi(argv[2]), vocabulary, random);
    for (int i = 0; i < std::atoi(argv[3]); ++i) try {
            walk(RandomSchema(random).document(), 3, vocabulary, random);
        } catch (const kylin::InputError&) {
            // No value can satisfy it.
        }
}
