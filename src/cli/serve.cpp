// kylin serve: HTTP for many clients.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <system_error>

#include "base/error.h"
#include "base/mapped_file.h"
#include "cli/chat_options.h"
#include "cli/commands.h"
#include "cli/config_file.h"
#include "cli/sampling_options.h"
#include "cli/session.h"
#include "engine/kv_pages.h"
#include "parity/drive.h"
#include "server/api_document.h"
#include "server/http_server.h"
#include "server/routes.h"
#include "server/sandbox.h"

namespace kylin::cli {
namespace {

struct Settings {
    SessionOptions session;
    server::HttpOptions http;
    server::AccessRules access;
    std::string name, config;
    int n_queue = 64;
    server::AuditOptions audit;
    bool insecure = false, quiet = false, watch = false, no_sandbox = false;
    bool print_api = false, print_openapi = false;
};

constexpr int default_parallel = 4;

std::string in_url(const std::string& host) { return host.find(':') == std::string::npos ? host : "[" + host + "]"; }

bool is_loopback(const std::string& host) { return host == "localhost" || host == "::1" || host.rfind("127.", 0) == 0; }

void check_exposure(const Settings& settings) {
    if (is_loopback(settings.http.host) || settings.insecure || !settings.access.api_key.empty()) return;
    throw InputError("--host", settings.http.host + " can be reached by others: give an --api-key, or --insecure if everybody may ask");
}

void announce(const Settings& settings, const Session& session, uint16_t port) {
    const std::string url = fmt::format("http://{}:{}", in_url(settings.http.host), port);
    const std::string key = settings.access.api_key.empty() ? "" : " -H 'Authorization: Bearer KEY'";
    std::fprintf(stderr, "%s",
                 fmt::format("{} listens on {}\n"
                             "KV cache: {} positions, {:.1f} MiB; {} answers at once, each with a context of {}; {} more may wait\n"
                             "try: curl{} -X POST {}/generate -d '{{\"prompt\": \"Hello, how are you?\", \"max_tokens\": 50}}'\n"
                             "OpenAI clients: base_url {}/v1, model \"{}\"\n",
                             session.name(), url, session.n_pages * page_positions, static_cast<double>(session.kv_bytes()) / (1 << 20),
                             settings.session.n_parallel, session.n_ctx, settings.n_queue, key, url, url,
                             settings.name.empty() ? session.name() : settings.name)
                     .c_str());
    if (!is_loopback(settings.http.host) && settings.access.api_key.empty())
        std::fprintf(stderr, "warning: everybody who reaches %s may ask: --insecure\n", url.c_str());
}

// One line for each request: key=value, values without spaces unless quoted.
server::Routes::Log make_log(bool quiet) {
    if (quiet) return [](const server::ExchangeRecord&) {};
    ::tzset();  // now, so that nothing is opened while requests are served
    auto logger = std::make_shared<spdlog::logger>("kylin", std::make_shared<spdlog::sinks::stderr_sink_st>());
    logger->set_pattern("time=%Y-%m-%dT%H:%M:%S.%e%z level=%l %v");
    return [logger](const server::ExchangeRecord& r) {
        logger->log(r.status >= 500 ? spdlog::level::err : spdlog::level::info,
                    "request={} method={} path={} status={} bytes_in={} bytes_out={} seconds={:.4f}{}{}", r.id, r.method, r.path, r.status,
                    r.bytes_in, r.bytes_out, r.seconds, r.note, r.abandoned ? " abandoned=true" : "");
    };
}

// docs/api.md and docs/openapi.json.
void print_documents(const Settings& settings) {
    if (settings.print_api) fmt::print("{}", server::api_markdown());
    if (settings.print_openapi) fmt::print("{}\n", server::openapi_document(KYLIN_VERSION).dump(1));
}

// On one thread: whatever the audit takes, it takes from nobody.
std::unique_ptr<server::Audit> make_audit(const Settings& settings, const Session& session) {
    if (settings.audit.share == 0) return nullptr;
    NumericsOptions options = session.numerics_options(settings.session);
    const int n_pages = parity::pages_for(settings.audit.max_tokens);
    options.n_threads = 1;
    options.n_pages = 2 * n_pages;
    options.beside = session.math.get();
    auto ours = make_numerics(*session.model, options);
    auto oracle = make_numerics(*session.model, {.kind = NumericsKind::oracle, .n_pages = n_pages, .n_threads = 1});
    const double mib = static_cast<double>(parity::audit_bytes(session.model->config(), options.kv, settings.audit.max_tokens)) / (1 << 20);
    std::fprintf(stderr, "audit: %g of the answers, up to %d tokens each, in up to %.0f MiB besides the file's own pages\n",
                 settings.audit.share, settings.audit.max_tokens, mib);
    return std::make_unique<server::Audit>(server::AuditParts{*session.model, std::move(ours), std::move(oracle)}, settings.audit);
}

// All is loaded, and the address is taken: nothing of this is needed any more.
void enter_sandbox() {
    try {
        server::enter_sandbox();
    } catch (const std::system_error& error) {
        std::fprintf(stderr, "warning: no sandbox here: %s\n", error.what());
    }
}

void serve(Settings settings) {
    if (settings.print_api || settings.print_openapi) return print_documents(settings);
    check_exposure(settings);
    std::signal(SIGPIPE, SIG_IGN);  // whoever read the log may go; the clients are still here
    // Without a key, whoever makes a browser here ask is let in: so not by a name of theirs that leads here.
    if (is_loopback(settings.http.host) && settings.access.api_key.empty())
        settings.access.hosts = {"localhost", "127.0.0.1", "[::1]", in_url(settings.http.host)};
    Session session(settings.session);
    read_nan_where_mapped_file_shrinks();  // the embedding is read from the file: answers that need what it lost fail, and no others
    note_template(session);
    const std::unique_ptr<server::Audit> audit = make_audit(settings, session);
    const server::ServedModel model{.engine = *session.engine,
                                    .tokenizer = session.tokenizer,
                                    .chat_template = session.chat_template,
                                    .config = session.model->config(),
                                    .limits = session.limits(),
                                    .name = settings.name.empty() ? session.name() : settings.name,
                                    .version = KYLIN_VERSION,
                                    .masks = std::make_shared<const grammar::MaskCache>(grammar::TokenTrie(session.tokenizer)),
                                    .defaults = recommended_sampling(session.file),
                                    .n_parallel = settings.session.n_parallel,
                                    .n_queue = settings.n_queue,
                                    .audit = audit.get(),
                                    .watch = settings.watch};
    server::Routes routes(model, settings.access, make_log(settings.quiet));
    server::HttpServer server(settings.http, routes);
    routes.connect([&server] { return server.poster(); }, [&server] { return server.n_connections(); });
    if (!settings.no_sandbox) enter_sandbox();
    announce(settings, session, server.port());
    server.run();
    std::fputs("stopped\n", stderr);
}

void add_address_options(CLI::App& command, Settings& settings) {
    constexpr const char* group = "Address, and who may ask";
    command.add_option("--host", settings.http.host, "Address to listen on; others than this machine's own need --api-key or --insecure")
        ->capture_default_str()
        ->group(group);
    command.add_option("--port", settings.http.port, "Port; 0: any free one")->capture_default_str()->group(group);
    command.add_option("--api-key", settings.access.api_key, "What clients must send as Authorization: Bearer KEY")
        ->envname("KYLIN_API_KEY")
        ->group(group);
    command.add_flag("--insecure", settings.insecure, "Listen to others without a key")->group(group);
    command.add_option("--cors-origin", settings.access.cors_origins, "Web pages of this origin may ask; may be repeated; *: all")
        ->allow_extra_args(false)
        ->group(group);
}

void add_capacity_options(CLI::App& command, Settings& settings) {
    constexpr const char* group = "Capacity";
    command.add_option("--parallel", settings.session.n_parallel, "Answers at once")
        ->check(CLI::Range(1, 256))
        ->capture_default_str()
        ->group(group);
    command.add_option("--queue", settings.n_queue, "Answers that may wait for a place; more get status 429")
        ->check(CLI::Range(0, 65536))
        ->capture_default_str()
        ->group(group);
    command
        .add_option("--kv-tokens", settings.session.n_kv,
                    "Positions of the KV cache, shared by all answers (default: parallel x ctx, at most 16384)")
        ->check(CLI::Range(1, 1 << 28))
        ->group(group);
    command.add_option("--max-connections", settings.http.max_connections, "Open connections; more are closed at once")
        ->check(CLI::Range(1, 65536))
        ->capture_default_str()
        ->group(group);
}

void add_server_options(CLI::App& command, Settings& settings) {
    constexpr const char* group = "Server";
    command
        .add_option("--config", settings.config,
                    "TOML file with the names of these options; the command line and the environment win over it")
        ->configurable(false)
        ->group(group);
    command.add_option("--name", settings.name, "What clients call the model (default: the file's own name for it)")->group(group);
    command.add_option("--drain-seconds", settings.http.drain_seconds, "What runs may go on for so long after the first SIGTERM")
        ->check(CLI::Range(0.0, 86400.0))
        ->capture_default_str()
        ->group(group);
    command.add_option("--audit", settings.audit.share, "Run this share of the answers again in float64, in the background: 0.01, say")
        ->check(CLI::Range(0.0, 1.0))
        ->group(group);
    command
        .add_option("--audit-tokens", settings.audit.max_tokens, "Longer answers, prompt included, are not audited: memory grows with them")
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str()
        ->group(group);
    command.add_flag("--watch", settings.watch, "Watch the values of every answer for GET /numerics, not only of those that ask for it")
        ->group(group);
    command
        .add_flag("--no-sandbox", settings.no_sandbox, "Keep the right to open files, start programs and make connections after loading")
        ->group(group);
    command.add_flag("--quiet", settings.quiet, "Do not log requests")->group(group);
}

void add_document_options(CLI::App& command, Settings& settings) {
    constexpr const char* group = "Instead of serving";
    command.add_flag("--print-api", settings.print_api, "Print the interface in Markdown")->configurable(false)->group(group);
    command.add_flag("--print-openapi", settings.print_openapi, "Print it in OpenAPI 3.1")->configurable(false)->group(group);
}

}  // namespace

void add_serve(CLI::App& app) {
    auto settings = std::make_shared<Settings>();
    settings->session.n_parallel = default_parallel;
    CLI::App* command = app.add_subcommand("serve", "Answer over HTTP: a simple API, and OpenAI's");
    add_address_options(*command, *settings);
    add_capacity_options(*command, *settings);
    add_server_options(*command, *settings);
    settings->session.add_to(*command);
    add_document_options(*command, *settings);
    command->footer(
        "SIGTERM or Ctrl-C ends it when what runs has been answered; a second one at once.\n"
        "Requests that leave sampling settings out get what the model's file recommends, as in kylin chat. See docs/server.md.\n");
    command->callback([settings, command] {
        if (!settings->config.empty()) apply_config_file(*command, settings->config);
        serve(*settings);
    });
}

}  // namespace kylin::cli
