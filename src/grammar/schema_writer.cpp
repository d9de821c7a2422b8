#include "grammar/schema_writer.h"

#include <algorithm>

#include "base/error.h"
#include "grammar/json_schema.h"
#include "grammar/members.h"
#include "grammar/numbers.h"
#include "grammar/schema_values.h"

namespace kylin::grammar {
Expr SchemaWriter::write(const Json* also) {
    Places places = {reader_.root()};
    if (also) places.push_back({also, places.front().where});
    const Expr root = value(places);
    while (!pending_.empty()) {
        const Pending next = std::move(pending_.front());
        pending_.pop_front();
        grammar_.set_place(next.schema.where);
        grammar_.define(next.rule, (this->*next.writer)(next.schema));
    }
    return root;
}

Expr SchemaWriter::later(const Schema& schema, Writer writer) {
    grammar_.set_place(schema.where);
    grammar_.budget().spend(schema.size(), schema.where);
    const RuleId rule = grammar_.declare();
    pending_.push_back({rule, schema, writer});
    return grammar_.call(rule);
}

Expr SchemaWriter::shared(const Schema& schema, Writer writer, std::map<Key, Expr>& known) {
    const auto [it, is_new] = known.try_emplace(schema.parts, Expr{});
    if (is_new) it->second = later(schema, writer);
    return it->second;
}

Expr SchemaWriter::in_rule(Expr body) {
    const RuleId rule = grammar_.declare();
    grammar_.define(rule, body);
    return grammar_.call(rule);
}

Expr SchemaWriter::value(const Places& places) {
    Key key;
    for (const Place& place : places) key.insert(place.json);
    if (const auto known = values_.find(key); known != values_.end()) return known->second;
    const Schema schema = reader_.read(places);
    const Expr result = schema.choices.empty() ? one(schema) : later(schema, &SchemaWriter::any_option);
    return values_[key] = result;
}

Expr SchemaWriter::any_option(const Schema& schema) {
    if (schema.choices.empty()) return one(schema);
    Schema rest = schema;
    const Schema::Options choice = std::move(rest.choices.back());
    rest.choices.pop_back();
    std::vector<Schema> options;
    for (size_t i = 0; i < choice.options.size(); ++i) {
        grammar_.budget().spend(rest.size(), schema.where);
        reader_.add_option(options.emplace_back(rest), choice, i);
    }
    if (choice.is_exclusive) check_exclusive(options, choice.where, reader_, grammar_.budget());
    std::vector<Expr> texts;
    for (const Schema& option : options) texts.push_back(any_option(option));
    return grammar_.choice(std::move(texts));
}

Expr SchemaWriter::one(const Schema& schema) {
    if (schema.values) return constants(schema);
    const unsigned types = schema.effective_types();
    if (types == type_any && schema.types_meant == 0) return text_.value();
    std::vector<Expr> texts;
    if (types & type_object) texts.push_back(shared(schema, &SchemaWriter::object, objects_));
    if (types & type_array) texts.push_back(shared(schema, &SchemaWriter::array, arrays_));
    if (types & type_string) texts.push_back(string(schema));
    if (types & type_number) texts.push_back(number(schema));
    if (types & type_boolean) texts.push_back(text_.boolean());
    if (types & type_null) texts.push_back(text_.null());
    return grammar_.choice(std::move(texts));
}

Expr SchemaWriter::constants(const Schema& schema) {
    std::vector<Expr> texts;
    for (const Json* value : allowed_values(schema, grammar_.budget())) texts.push_back(text_.constant(*value));
    return in_rule(grammar_.choice(std::move(texts)));
}

Expr SchemaWriter::string(const Schema& schema) {
    if (schema.min_length > schema.max_length) return grammar_.never();
    if (!schema.patterns.empty()) return in_rule(text_.string(language_of(schema, grammar_.budget())));
    if (schema.min_length == 0 && schema.max_length == unlimited) return text_.string();
    return in_rule(text_.string(schema.min_length, schema.max_length));
}

Expr SchemaWriter::number(const Schema& schema) {
    const bool with_fraction = (schema.types & type_fraction) != 0;
    if (schema.bounds.empty()) return with_fraction ? text_.number() : text_.integer();
    const NumbersWithin numbers = numbers_within(schema.bounds, with_fraction, grammar_.budget());
    const Expr negative = grammar_.sequence({grammar_.literal("-"), text_.plain(numbers.negative)});
    return in_rule(grammar_.choice({text_.plain(numbers.not_negative), negative}));
}

Expr SchemaWriter::array(const Schema& schema) {
    size_t n_prefix = 0;
    for (const Schema::ArrayPart& part : schema.arrays) n_prefix = std::max(n_prefix, part.prefix.size());
    const auto item = [&](size_t i) {
        Places places;
        for (const Schema::ArrayPart& part : schema.arrays) {
            if (i < part.prefix.size())
                places.push_back(part.prefix[i]);
            else if (part.items)
                places.push_back(*part.items);
        }
        return value(places);
    };
    const uint32_t min = schema.min_items, max = schema.max_items;
    if (min > max) return grammar_.never();
    if (max == 0) return text_.brackets(grammar_.never(), true);
    if (n_prefix == 0) return text_.brackets(text_.list(item(0), min, max), min == 0);

    // State i: so many items are written; all that have a schema of their own; the end.
    const uint32_t n = static_cast<uint32_t>(std::min<size_t>(n_prefix, max)), end = n + 1;
    Graph graph{.n_states = end + 1, .edges = {}};
    for (uint32_t i = 0; i < n; ++i) {
        graph.edges.push_back({i, i == 0 ? item(i) : grammar_.sequence({text_.comma(), item(i)}), i + 1});
        if (i > 0 && i >= min) graph.edges.push_back({i, grammar_.empty(), end});
    }
    const uint32_t more = max == unlimited ? unlimited : max - n;
    graph.edges.push_back({n, grammar_.repeat(grammar_.sequence({text_.comma(), item(n_prefix)}), min > n ? min - n : 0, more), end});
    return text_.brackets(grammar_.graph(std::move(graph)), min == 0);
}

Expr SchemaWriter::object(const Schema& schema) {
    const Members members = members_of(schema, reader_, grammar_.budget());
    const auto n = static_cast<uint32_t>(members.declared.size());
    const auto is_required = [&](uint32_t i) { return members.declared[i].is_required; };
    uint32_t n_settled = n;  // from here on all may be left out
    while (n_settled > 0 && !is_required(n_settled - 1)) --n_settled;

    // State i: member i or a later one must be written next. State n + 1 + i: member i has been written. The last: the end.
    const uint32_t end = 2 * n + 1;
    Graph graph{.n_states = end + 1, .edges = {}};
    const Expr nothing = grammar_.empty(), comma = text_.comma();
    for (uint32_t i = 0; i < n; ++i) {
        const Member& member = members.declared[i];
        const Expr name = text_.constant(member.name);
        graph.edges.push_back({i, text_.member(name, value(member.places)), n + 1 + i});
        graph.edges.push_back({n + 1 + i, comma, i + 1});
        if (!member.is_required) graph.edges.push_back({i, nothing, i + 1});
        if (i + 1 >= n_settled) graph.edges.push_back({n + 1 + i, nothing, end});
    }
    if (members.more) {
        const Expr name = members.more->names ? in_rule(text_.string(*members.more->names)) : text_.string();
        const Expr member = text_.member(name, value(members.more->places));
        graph.edges.push_back({n, text_.list(member, members.more->min, members.more->max), end});
    }
    const bool may_be_empty = n_settled == 0 && !(members.more && members.more->min > 0);
    return text_.braces(grammar_.graph(std::move(graph)), may_be_empty);
}

Expr add_json_schema(Grammar& grammar, JsonText& text, const Json& schema, const std::string& name, const Json* also) {
    return SchemaWriter(grammar, text, schema, name).write(also);
}

}  // namespace kylin::grammar
