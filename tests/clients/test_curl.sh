#!/usr/bin/env bash
# The calls of the documentation, as a person types them: test_curl.sh KYLIN
set -euo pipefail
kylin=$1
folder=$(mktemp -d)
"$kylin" serve --port 0 -t 2 2>"$folder/log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" || true; rm -r "$folder"' EXIT
until origin=$(grep -o 'http://127.0.0.1:[0-9]*' "$folder/log" | head -1) && [ -n "$origin" ]; do
    kill -0 "$server"
    sleep 0.05
done

# says WHAT PATTERN COMMAND...: the command's output has a line that matches.
says() {
    local what=$1 pattern=$2 output
    shift 2
    output=$("$@") || { echo "$what: exit status $?" >&2; exit 1; }
    grep -Eq -- "$pattern" <<<"${output//$'\r'/}" || {
        echo "$what: not $pattern but: $output" >&2
        exit 1
    }
    echo "ok: $what"
}
quietly() { curl --silent --show-error --max-time 60 "$@"; }

says 'the first call, without a content type' '"text": ?"[^"]' \
    quietly -X POST "$origin/generate" -d '{"prompt": "Hello, how are you?", "max_tokens": 50, "temperature": 0.0}'
says 'a stream ends with its reason' '^data: .*"finish_reason": ?"(stop|length)"' \
    quietly -N "$origin/generate_stream" -d '{"prompt": "Hello", "max_tokens": 5}'
says 'a streamed chat ends' '^data: \[DONE\]' \
    quietly -N "$origin/v1/chat/completions" -d '{"messages": [{"role": "user", "content": "你好"}], "max_tokens": 5, "stream": true}'
says 'health' '"status": ?"ok"' quietly "$origin/health"
says 'a body of a file, with 100-continue' '"tokens"' quietly -H 'Expect: 100-continue' "$origin/encode" -d '{"text": "Hello"}'
says 'a chunked body' '"tokens"' quietly -H 'Transfer-Encoding: chunked' "$origin/encode" -d '{"text": "Hello"}'
says 'the head of an answer' '^HTTP/1.1 200' quietly -I "$origin/health"
says 'HTTP/1.0' '^HTTP/1.[01] 200' quietly --http1.0 -i "$origin/health"
says 'two answers on one connection' '^1 0 ?$' quietly -o /dev/null -o /dev/null -w '%{num_connects} ' "$origin/health" "$origin/health"
says 'a malformed body is 400 with the reason' '^HTTP/1.1 400' quietly -i "$origin/generate" -d '{"prompt": "Hello", "temperature": "hot"}'
says 'the field that is wrong is named' 'temperature' quietly "$origin/generate" -d '{"prompt": "Hello", "temperature": "hot"}'
says 'the wrong method is 405' '^405$' quietly -o /dev/null -w '%{http_code}\n' "$origin/generate"
says 'no such route is 404' '^404$' quietly -o /dev/null -w '%{http_code}\n' "$origin/nothing"
