// The OpenAPI document against a validator of others, and every route's example against kylin serve with the demo model, its answer judged
// by the document's own schema: test_openapi.mjs KYLIN. Needs the packages of tests/oracles/install, and fails without them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { createInterface } from 'node:readline';

const require = createRequire(new URL('../oracles/package.json', import.meta.url));
const Ajv2020 = require('ajv/dist/2020').default;
const { Validator } = await import(require.resolve('@seriousme/openapi-schema-validator'));

const kylin = process.argv[2];
let server, origin, document;

before(async () => {
    server = spawn(kylin, ['serve', '--port', '0', '-t', '2'], { stdio: ['ignore', 'ignore', 'pipe'] });
    for await (const line of createInterface({ input: server.stderr })) {
        origin = line.match(/listens on (http:\S+)/)?.[1];
        if (origin) break;
    }
    assert(origin, 'the server says where it listens');
    server.stderr.resume();
    document = await (await fetch(`${origin}/openapi.json`)).json();
});

after(async () => {
    server.kill('SIGTERM');
    assert.equal((await once(server, 'exit'))[0], 0);
});

const judge = (schema, components) =>
    new Ajv2020({ strict: false, allErrors: true }).compile({ ...schema, components });  // its references begin at the document's root

test('the document is OpenAPI 3.1, and a broken one is not', async () => {
    const found = await new Validator().validate(structuredClone(document));
    assert.deepEqual(found.errors ?? [], []);
    assert(found.valid);
    const broken = structuredClone(document);
    broken.paths['/generate'].post.responses = { ok: 1 };
    assert(!(await new Validator().validate(broken)).valid);
});

const operations = () => Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })));

const ask = ({ path, method }, body) =>
    fetch(origin + path, { method, body: body && JSON.stringify(body), headers: { Accept: '*/*' } });

test('every example is answered as the document says', async () => {
    assert(operations().length >= 15);
    for (const route of operations()) {
        const { path, method, operation } = route;
        const request = operation.requestBody?.content['application/json'];
        if (request) {
            const check = judge(request.schema, document.components);
            assert(check(request.example), `${path}: ${JSON.stringify(check.errors)}`);
        }
        const response = await ask(route, request?.example);
        assert.equal(response.status, 200, `${method} ${path}`);
        const content = operation.responses[200].content;
        const type = response.headers.get('content-type').split(';')[0];
        assert(type in content, `${path}: ${type}`);
        const text = await response.text();
        if (type !== 'application/json') continue;
        const check = judge(content[type].schema, document.components);
        assert(check(JSON.parse(text)), `${path}: ${JSON.stringify(check.errors)}`);
        assert(!check({}) || path === '/', `${path}: its schema says something`);
    }
});

test('streams are of the documented type', async () => {
    for (const { path, method, operation } of operations()) {
        if (!('text/event-stream' in operation.responses[200].content)) continue;
        const response = await ask({ path, method }, { ...operation.requestBody.content['application/json'].example, stream: true });
        assert.match(response.headers.get('content-type'), /^text\/event-stream/, path);
        assert.match(await response.text(), /^data: \{/, path);
    }
});

// What the schema of a request forbids, the server refuses, naming the field, and with an error of the documented form.
test('values beyond the schema are refused', async () => {
    const error = judge({ $ref: '#/components/schemas/Error' }, document.components);
    let count = 0;
    for (const route of operations()) {
        const request = route.operation.requestBody?.content['application/json'];
        const schema = request?.schema.$ref && document.components.schemas[request.schema.$ref.split('/').pop()];
        const check = request && judge(request.schema, document.components);
        for (const [name, field] of Object.entries((schema || request?.schema)?.properties ?? {})) {
            const values = [field.minimum - 1, field.maximum + 1, true, 0.5, {}, [[]]];
            for (const value of values.filter((v) => !Number.isNaN(v))) {
                const body = { ...request.example, [name]: value };
                if (check(body)) continue;
                const response = await ask(route, body);
                const said = await response.json();
                assert.equal(response.status, 400, `${route.path} ${name} = ${JSON.stringify(value)}: ${JSON.stringify(said)}`);
                assert(error(said), JSON.stringify(error.errors));
                assert(said.error.param.startsWith(name), `${route.path} ${name}: ${said.error.param}`);
                ++count;
            }
        }
    }
    assert(count > 200, `${count} values`);
});
