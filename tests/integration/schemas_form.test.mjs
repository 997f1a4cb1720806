// schemas_form - openapi.yaml and asyncapi.yaml are documents of their kind, and say what the tables of the programs say. Needs no server.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { asyncapi, compile, openapi, schemaText, repositoryText } from './lib/schemas.mjs';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';

const require = createRequire(import.meta.url);

test('openapi.yaml is OpenAPI 3.1', async () => {
  const validator = new Validator();
  const result = await validator.validate(schemaText('openapi.yaml'));
  assert.equal(validator.version, '3.1');
  assert.deepEqual(result.errors ?? [], []);
  assert.ok(result.valid);
});

test('asyncapi.yaml is AsyncAPI 3.0', () => {
  // The published schema brings draft 7 itself, under its own name.
  const ajv = new Ajv({ strict: false, meta: false, validateSchema: false });
  addFormats(ajv);
  const check = ajv.compile(require('@asyncapi/specs/schemas/3.0.0.json'));
  assert.ok(check(asyncapi), JSON.stringify(check.errors?.slice(0, 5), null, 1));
  const { info, ...nameless } = asyncapi;
  assert.ok(info && !check(nameless), 'a document without info is refused');
  const broken = structuredClone(asyncapi);
  broken.operations.publishEvent.action = 'sent';
  assert.ok(!check(broken), 'an action that does not exist is refused');
});

for (const [name, document] of [['openapi.yaml', openapi], ['asyncapi.yaml', asyncapi]]) {
  test(`${name}: every $ref leads somewhere, every schema compiles`, () => {
    const walk = (value, path) => {
      assert.notEqual(value, null, `${path}: a comma inside an unquoted text`);
      if (typeof value !== 'object') return;
      if (typeof value.$ref === 'string') assert.ok(value.$ref.startsWith('#/') && resolve(document, value.$ref) !== undefined, `${path}: ${value.$ref}`);
      for (const [key, inner] of Object.entries(value)) walk(inner, `${path}/${key}`);
    };
    walk(document, '');
    for (const schema of Object.keys(document.components.schemas)) compile(document, `#/components/schemas/${schema}`);
  });

  test(`${name} has the version of the programs`, () => {
    assert.equal(document.info.version, repositoryText('CMakeLists.txt').match(/^project\(sluice VERSION (\S+)/m)[1]);
  });
}

function resolve(document, ref) {
  return ref.slice(2).split('/').reduce((at, part) => at?.[part.replaceAll('~1', '/').replaceAll('~0', '~')], document);
}

test('the exchanges are those of topology.def', () => {
  const declared = [...schemaText('topology.def').matchAll(/^TOPOLOGY_EXCHANGE\("([^"]+)", "([^"]+)"/gm)].map(([, name, type]) => `${name} ${type}`);
  const described = Object.values(asyncapi.channels).map(({ bindings: { amqp } }) => amqp.exchange).filter((exchange) => exchange && !/^sluice\.delay\.[01]\d$/.test(exchange.name)); // the levels are made by number
  assert.deepEqual(described.map(({ name, type }) => `${name} ${type}`).sort(), declared.sort());
});

test('the keys of the envelope are those of envelope.md', () => {
  const rows = [...schemaText('envelope.md').matchAll(/^\| `([a-z_]+)` \| \w+ \| ([\w ]+) \|/gm)];
  const { properties, required } = asyncapi.components.schemas.envelope;
  assert.deepEqual(Object.keys(properties), rows.map(([, key]) => key));
  assert.deepEqual(required, rows.filter(([, , present]) => present === 'always').map(([, key]) => key));
});

test('every answer of the publisher is described', () => {
  const described = new Set(Object.keys(openapi.paths['/webhooks/{source}'].post.responses).map(Number));
  const answers = [...repositoryText('publisher/answer.c').matchAll(/^\s+\[PUB_\w+\] = \{ (\d{3})/gm)].map(([, status]) => Number(status));
  assert.ok(answers.length >= 10);
  assert.deepEqual(answers.filter((status) => !described.has(status)), []);
});
