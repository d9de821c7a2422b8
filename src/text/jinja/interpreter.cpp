// One function per kind of node: execute for statements, eval for expressions.
#include "text/jinja/interpreter.h"

#include <algorithm>
#include <cmath>

#include "text/jinja/arithmetic.h"
#include "text/jinja/builtins.h"
#include "text/jinja/python_text.h"

namespace kylin::jinja {
namespace {

// The variables of a template, a loop's body or a macro; what is not here is looked up outside.
struct Scope {
    Scope* outer = nullptr;
    Variables variables = {};

    const Value* find(const std::string& name) const {
        for (const Scope* s = this; s; s = s->outer)
            for (const auto& [id, value] : s->variables)
                if (id == name) return &value;
        return nullptr;
    }
    void set(const std::string& name, Value value) {
        for (auto& [id, old] : variables) {
            if (id != name) continue;
            old = std::move(value);
            return;
        }
        variables.emplace_back(name, std::move(value));
    }
};

enum class Flow { normal, broken, continued };

class Interpreter {
public:
    Interpreter(const Variables& variables, const Limits& limits) : run_(limits), globals_{nullptr, variables}, scope_(&globals_) {}

    Text render(const Body& body) {
        execute(body);
        return std::move(out_);
    }

private:
    // Runs with another scope while it lives.
    class Inside {
    public:
        Inside(Interpreter& interpreter, Scope& scope) : interpreter_(interpreter), outer_(interpreter.scope_) {
            interpreter.scope_ = &scope;
        }
        ~Inside() { interpreter_.scope_ = outer_; }
        Inside(const Inside&) = delete;
        Inside& operator=(const Inside&) = delete;

    private:
        Interpreter& interpreter_;
        Scope* outer_;
    };

    Flow execute(const Body& body);
    Flow execute(const Data& node) { return write({node.text, Origin::source}); }
    Flow execute(const Output& node) { return write(print(eval(node.value), run_)); }
    Flow execute(const If& node);
    Flow execute(const For& node);
    Flow execute(const Set& node);
    Flow execute(const SetMember& node);
    Flow execute(const Capture& node);
    Flow execute(const Macro& node);
    Flow execute(const Break&) { return Flow::broken; }
    Flow execute(const Continue&) { return Flow::continued; }
    Flow write(const Text& text);
    void assign(const std::vector<std::string>& targets, const Value& value);
    List filtered_items(const For& node);
    Value loop_value(const List& items, size_t at) const;
    Value call_macro(const Macro& macro, const Arguments& arguments);
    // Runs the body and returns what it writes.
    Text capture(const Body& body, Scope& scope);

    Value eval(const ExprPtr& e);
    Value eval(const Literal& node) { return node.value; }
    Value eval(const Name& node);
    Value eval(const ListLiteral& node);
    Value eval(const DictLiteral& node);
    Value eval(const Member& node) { return member(eval(node.object), node.name, run_); }
    Value eval(const Subscript& node);
    Value eval(const Slice& node);
    Value eval(const Call& node);
    Value eval(const Filter& node) { return apply_filter(node.name, eval(node.input), eval(node.arguments), run_); }
    Value eval(const Test& node) { return Value(apply_test(node.name, eval(node.input), eval(node.arguments), run_) != node.negated); }
    Value eval(const Unary& node);
    Value eval(const Binary& node);
    Value eval(const Comparison& node);
    Value eval(const Conditional& node);
    Arguments eval(const std::vector<Argument>& arguments);

    Run run_;
    Scope globals_;
    Scope* scope_;
    Text out_;
};

// ---- statements

Flow Interpreter::execute(const Body& body) {
    const Run::Level level(run_);
    for (const Statement& statement : body) {
        run_.at_line(statement.line);
        run_.spend(1);
        const Flow flow = std::visit([&](const auto& node) { return execute(node); }, statement.node);
        if (flow != Flow::normal) return flow;
    }
    return Flow::normal;
}

Flow Interpreter::write(const Text& text) {
    run_.spend_bytes(text.size());
    if (text.size() > run_.limits().output_bytes - out_.size()) run_.fail("writes too much");
    out_ += text;
    return Flow::normal;
}

Flow Interpreter::execute(const If& node) {
    for (const auto& [condition, body] : node.branches)
        if (eval(condition).truth()) return execute(body);
    return execute(node.otherwise);
}

List Interpreter::filtered_items(const For& node) {
    List items = iterate(eval(node.iterable), run_);
    if (!node.condition) return items;
    List kept;
    for (const Value& item : items.items) {
        Scope scope{scope_};
        const Inside inside(*this, scope);
        assign(node.targets, item);
        if (eval(node.condition).truth()) kept.items.push_back(item);
    }
    return kept;
}

Value Interpreter::loop_value(const List& items, size_t at) const {
    const auto number = [](size_t n) { return Value(static_cast<int64_t>(n)); };
    const size_t n = items.items.size();
    Dict loop;
    const auto add = [&](std::string_view name, Value value) { loop.items.emplace_back(Value::source(name), std::move(value)); };
    add("index0", number(at));
    add("index", number(at + 1));
    add("first", Value(at == 0));
    add("last", Value(at + 1 == n));
    add("length", number(n));
    add("revindex", number(n - at));
    add("revindex0", number(n - at - 1));
    if (at > 0) add("previtem", items.items[at - 1]);
    if (at + 1 < n) add("nextitem", items.items[at + 1]);
    add("cycle", Function([at](const Arguments& a) { return a.positional.empty() ? Value() : a.positional[at % a.positional.size()]; }));
    return loop;
}

Flow Interpreter::execute(const For& node) {
    const List items = filtered_items(node);
    if (items.items.empty()) return execute(node.otherwise);
    for (size_t i = 0; i < items.items.size(); ++i) {
        run_.spend(16);  // the loop variable has many members
        Scope scope{scope_};
        const Inside inside(*this, scope);
        assign(node.targets, items.items[i]);
        scope.set("loop", loop_value(items, i));
        if (execute(node.body) == Flow::broken) break;
    }
    return Flow::normal;
}

void Interpreter::assign(const std::vector<std::string>& targets, const Value& value) {
    if (targets.size() == 1) return scope_->set(targets[0], value);
    const List parts = iterate(value, run_);
    if (parts.items.size() != targets.size())
        run_.fail(std::to_string(parts.items.size()) + " values for " + std::to_string(targets.size()) + " variables");
    for (size_t i = 0; i < targets.size(); ++i) scope_->set(targets[i], parts.items[i]);
}

Flow Interpreter::execute(const Set& node) {
    assign(node.targets, eval(node.value));
    return Flow::normal;
}

Flow Interpreter::execute(const SetMember& node) {
    const Value value = contained(eval(node.value), run_);
    const Value* found = scope_->find(node.object);
    Namespace* space = found ? found->as_namespace() : nullptr;
    if (!space) run_.fail("'" + node.object + "' is not a namespace");
    const auto at = std::find_if(space->items.begin(), space->items.end(), [&](const auto& item) { return item.first == node.member; });
    if (at == space->items.end())
        space->items.emplace_back(node.member, value);
    else
        at->second = value;
    return Flow::normal;
}

Text Interpreter::capture(const Body& body, Scope& scope) {
    const Inside inside(*this, scope);
    Text outer = std::exchange(out_, {});
    execute(body);
    return std::exchange(out_, std::move(outer));
}

Flow Interpreter::execute(const Capture& node) {
    Scope scope{scope_};
    scope.set(captured, capture(node.body, scope));
    Value result;
    {
        const Inside inside(*this, scope);
        result = eval(node.filtered);
    }
    if (node.target.empty()) return write(print(result, run_));
    scope_->set(node.target, std::move(result));
    return Flow::normal;
}

Flow Interpreter::execute(const Macro& node) {
    globals_.set(node.name, Function([this, &node](const Arguments& arguments) { return call_macro(node, arguments); }));
    return Flow::normal;
}

Value Interpreter::call_macro(const Macro& macro, const Arguments& arguments) {
    if (arguments.positional.size() > macro.parameters.size()) run_.fail("the macro '" + macro.name + "' takes fewer arguments");
    Scope scope{&globals_};
    const Inside inside(*this, scope);
    for (size_t i = 0; i < macro.parameters.size(); ++i) {
        const auto& [name, otherwise] = macro.parameters[i];
        const Value* given = arguments.find(i, name);
        scope.set(name, given ? *given : otherwise ? eval(otherwise) : Value(Undefined{name}));
    }
    return capture(macro.body, scope);
}

// ---- expressions

Value Interpreter::eval(const ExprPtr& e) {
    const Run::Level level(run_);
    run_.at_line(e->line);
    Value value = std::visit([&](const auto& node) { return eval(node); }, e->node);
    const bool only_looked_up = std::holds_alternative<Name>(e->node) || std::holds_alternative<Member>(e->node) ||
                                std::holds_alternative<Subscript>(e->node) || std::holds_alternative<Literal>(e->node);
    run_.spend(only_looked_up ? 1 : value.width());
    if (value.depth() > run_.limits().value_depth) run_.fail("makes values that are nested too deeply");
    return value;
}

Value Interpreter::eval(const Name& node) {
    if (const Value* found = scope_->find(node.id)) return *found;
    if (Value function = find_function(node.id, run_); !function.is_undefined()) return function;
    return Undefined{node.id};
}

Value Interpreter::eval(const ListLiteral& node) {
    List list{{}, node.is_tuple};
    for (const ExprPtr& item : node.items) list.items.push_back(contained(eval(item), run_));
    return list;
}

Value Interpreter::eval(const DictLiteral& node) {
    Dict dict;
    for (const auto& [key, value] : node.items) {
        Value k = eval(key);
        if (!k.as_text() && !k.is_number() && !k.is_none()) run_.fail("a value of type " + std::string(k.type_name()) + " is no key");
        dict.set(std::move(k), contained(eval(value), run_));
    }
    return dict;
}

Value Interpreter::eval(const Subscript& node) {
    const Value object = eval(node.object), key = eval(node.key);
    if (const Undefined* undefined = object.as_undefined()) run_.fail("'" + undefined->name + "' is undefined, so it has no items");
    const auto index = key.integer();
    if (const List* list = object.as_list(); list && index) {
        const auto n = static_cast<int64_t>(list->items.size());
        const int64_t at = *index < 0 ? *index + n : *index;
        return at >= 0 && at < n ? list->items[static_cast<size_t>(at)] : Value(Undefined{"item " + std::to_string(*index)});
    }
    if (const Text* text = object.as_text(); text && index) {
        run_.spend_bytes(text->size());
        const auto starts = character_starts(text->bytes());
        const auto n = static_cast<int64_t>(starts.size()) - 1;
        const int64_t at = *index < 0 ? *index + n : *index;
        if (at < 0 || at >= n) return Undefined{"character " + std::to_string(*index)};
        const auto i = static_cast<size_t>(at);
        return text->substr(starts[i], starts[i + 1] - starts[i]);
    }
    if (const Dict* dict = object.as_dict()) {
        run_.spend(dict->items.size() / 16);
        if (const Value* found = dict->find(key)) return *found;
    }
    return key.as_text() ? member(object, key.as_text()->bytes(), run_) : Value(Undefined{print(key, run_).bytes()});
}

Value Interpreter::eval(const Slice& node) {
    const Value object = eval(node.object);
    const auto part = [&](const ExprPtr& e) -> std::optional<int64_t> {
        if (!e) return std::nullopt;
        const Value value = eval(e);
        if (value.is_none()) return std::nullopt;
        return need_int(value, "a part of a slice", run_);
    };
    const auto start = part(node.start), stop = part(node.stop), step = part(node.step);
    return slice(object, {start, stop, step}, run_);
}

Value Interpreter::eval(const Call& node) {
    const Value callee = eval(node.callee);
    const Arguments arguments = eval(node.arguments);
    if (const Function* function = callee.as_function()) return (*function)(arguments);
    if (const Undefined* undefined = callee.as_undefined()) run_.fail("'" + undefined->name + "' is undefined, so it cannot be called");
    run_.fail("a value of type " + std::string(callee.type_name()) + " cannot be called");
}

Arguments Interpreter::eval(const std::vector<Argument>& arguments) {
    Arguments values;
    for (const auto& [name, e] : arguments) {
        if (name.empty())
            values.positional.push_back(eval(e));
        else
            values.named.emplace_back(name, eval(e));
    }
    return values;
}

Value Interpreter::eval(const Unary& node) {
    const Value operand = eval(node.operand);
    return node.sign == Sign::logical_not ? Value(!operand.truth()) : signed_number(node.sign, operand, run_);
}

Value Interpreter::eval(const Binary& node) {
    Value left = eval(node.left);
    if (node.op == Operator::logical_and) return left.truth() ? eval(node.right) : left;
    if (node.op == Operator::logical_or) return left.truth() ? left : eval(node.right);
    return compute(node.op, left, eval(node.right), run_);
}

Value Interpreter::eval(const Comparison& node) {
    Value left = eval(node.first);
    for (const auto& [comparator, e] : node.rest) {
        Value right = eval(e);
        if (!compare(comparator, left, right, run_)) return Value(false);
        left = std::move(right);
    }
    return Value(true);
}

Value Interpreter::eval(const Conditional& node) {
    if (eval(node.condition).truth()) return eval(node.value);
    return node.otherwise ? eval(node.otherwise) : Value(Undefined{"the value of an 'if' without 'else'"});
}

}  // namespace

Text render(const Body& body, const Variables& variables, const Limits& limits) { return Interpreter(variables, limits).render(body); }

}  // namespace kylin::jinja
