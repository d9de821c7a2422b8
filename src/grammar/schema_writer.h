// Writes the schemas of one document as rules of a grammar.
#pragma once
#include <deque>
#include <map>

#include "grammar/grammar.h"
#include "grammar/json_text.h"
#include "grammar/schema.h"

namespace kylin::grammar {

class SchemaWriter {
public:
    SchemaWriter(Grammar& grammar, JsonText& text, const Json& document, const std::string& name)
        : grammar_(grammar), text_(text), reader_(document, name, grammar.budget()) {}

    // All of the document, and every rule it needs. `also`: another schema that holds for the value.
    Expr write(const Json* also);

private:
    using Key = std::set<const Json*>;
    using Writer = Expr (SchemaWriter::*)(const Schema&);

    Expr value(const Places& places);
    Expr any_option(const Schema& schema);
    Expr one(const Schema& schema);
    Expr constants(const Schema& schema);
    Expr string(const Schema& schema);
    Expr number(const Schema& schema);
    Expr array(const Schema& schema);
    Expr object(const Schema& schema);

    // A rule whose body is written later, so that schemas may nest as deep as they like and contain themselves.
    Expr later(const Schema& schema, Writer writer);
    // The same for all places where the same parts hold.
    Expr shared(const Schema& schema, Writer writer, std::map<Key, Expr>& known);
    Expr in_rule(Expr body);

    Grammar& grammar_;
    JsonText& text_;
    SchemaReader reader_;
    std::map<Key, Expr> values_, arrays_, objects_;
    struct Pending {
        RuleId rule;
        Schema schema;
        Writer writer;
    };
    std::deque<Pending> pending_;
};

}  // namespace kylin::grammar
