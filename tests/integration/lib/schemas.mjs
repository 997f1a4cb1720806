// schemas - the descriptions in schemas/, read once, and their JSON Schemas as functions.
import { readFileSync } from 'node:fs';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';

export const repositoryText = (file) => readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
export const schemaText = (file) => repositoryText(`schemas/${file}`);
export const openapi = parse(schemaText('openapi.yaml'));
export const asyncapi = parse(schemaText('asyncapi.yaml'));

const bases = new Map();

function ajvOf(document) {
  if (!bases.has(document)) {
    const ajv = new Ajv({ strict: false, allErrors: true });
    addFormats(ajv);
    ajv.addSchema({ $id: 'document:', ...document });
    bases.set(document, ajv);
  }
  return bases.get(document);
}

// A schema of the document, by its pointer ("#/components/…"), as ajv's check.
export function compile(document, pointer) {
  const check = ajvOf(document).getSchema(`document:${encodeURI(pointer)}`);
  if (!check) throw new Error(`no schema at ${pointer}`);
  return check;
}
